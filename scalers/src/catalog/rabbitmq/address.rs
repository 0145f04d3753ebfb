//! The URL in `host`.

use reqwest::Url;

use crate::escape::unescaped;
use crate::{ScalerError, Secret};

/// A parsed `host`.
#[derive(Clone, Debug)]
pub(super) struct Address(Url);

/// A user and a password.
pub(super) type UserInfo = (String, Secret<String>);

impl Address {
    /// Parses the URL. Neither the error nor anything else quotes it: it may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, ScalerError> {
        let wrong = || ScalerError::Setting("`host` must be a URL".to_owned());
        let url = text.parse::<Url>().map_err(|_| wrong())?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong());
        }
        Ok(Self(url))
    }

    pub(super) fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// The host, without the brackets of an IPv6 address.
    pub(super) fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        bare.unwrap_or(host).to_owned()
    }

    pub(super) fn port(&self) -> Option<u16> {
        self.0.port()
    }

    /// The user and the password in the URL; a user without a password has an empty one.
    pub(super) fn user_info(&self) -> Option<UserInfo> {
        let username = self.0.username();
        if username.is_empty() && self.0.password().is_none() {
            return None;
        }
        let password = unescaped(self.0.password().unwrap_or_default());
        Some((unescaped(username), Secret::new(password)))
    }

    /// The whole path as a name, without the slash before it.
    pub(super) fn path(&self) -> String {
        let path = self.0.path();
        unescaped(path.strip_prefix('/').unwrap_or(path))
    }

    /// The last part of the path as a name.
    pub(super) fn last_part(&self) -> String {
        unescaped(self.0.path().rsplit('/').next().unwrap_or_default())
    }

    /// `scheme://host:port` with everything of the path but its last part.
    pub(super) fn without_last_part(&self) -> Url {
        let mut url = self.0.clone();
        let path = url
            .path()
            .rsplit_once('/')
            .map_or("", |(path, _)| path)
            .to_owned();
        url.set_path(path.trim_end_matches('/'));
        url.set_query(None);
        url.set_fragment(None);
        // They fail only for URLs without a host.
        let _ = (url.set_username(""), url.set_password(None));
        url
    }
}
