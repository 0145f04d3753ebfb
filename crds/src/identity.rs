//! Parts of a TriggerAuthentication that prove who is asking: pod identity, tokens, OAuth 2.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::open_enum::open_enum;

open_enum! {
    /// How the identity is proven.
    IdentityProvider {
        /// Azure workload identity.
        AzureWorkload = "azure-workload",
        /// Google workload identity.
        Gcp = "gcp",
        /// AWS pod identity or a role for the service account.
        Aws = "aws",
        /// AWS role of the scaled workload's service account.
        AwsEks = "aws-eks",
        /// No identity.
        None = "none",
    }
}

open_enum! {
    /// Whose AWS identity is used.
    IdentityOwner {
        /// That of the operator.
        Keda = "keda",
        /// That of the scaled workload.
        Workload = "workload",
    }
}

/// Workload identity of a cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodIdentity {
    /// How the identity is proven.
    pub provider: IdentityProvider,
    /// Azure: client ID to use instead of the one the operator has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<String>,
    /// Azure: tenant to use instead of the one the operator has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_tenant_id: Option<String>,
    /// Azure: authority to use instead of the one the operator has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_authority_host: Option<String>,
    /// AWS: role to assume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// AWS: external ID that is passed along when the role is assumed.
    #[serde(default, rename = "externalID", skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// AWS: `keda` uses the identity of the operator, `workload` the role in the annotation of the workload's service
    /// account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_owner: Option<IdentityOwner>,
}

/// One parameter that is filled with a token for a service account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoundServiceAccountToken {
    /// Parameter of the trigger that gets the token.
    pub parameter: String,
    /// Service account that the token is requested for.
    pub service_account_name: String,
}

/// Value that is read from somewhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretValue {
    /// Where the value is.
    pub value_from: ValueFromSecret,
}

/// Where a value is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValueFromSecret {
    /// Key of a Secret.
    pub secret_key_ref: SecretKeyRef,
}

/// Key of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeyRef {
    /// Name of the Secret.
    pub name: String,
    /// Key inside it.
    pub key: String,
}

open_enum! {
    /// OAuth 2 flow.
    OAuth2Type {
        /// The client authenticates itself with its own secret.
        ClientCredentials = "clientCredentials",
    }
}

/// OAuth 2 client credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OAuth2 {
    /// OAuth 2 flow.
    #[serde(default = "client_credentials", rename = "type")]
    #[schemars(!default, extend("default" = "clientCredentials"))]
    pub type_: OAuth2Type,
    /// Address of the token endpoint.
    pub token_url: String,
    /// Further form fields for the token endpoint.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub token_url_params: BTreeMap<String, String>,
    /// Client ID.
    pub client_id: String,
    /// Client secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretValue>,
    /// Scopes to ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// The default of the schema, for files that never passed an API server.
fn client_credentials() -> OAuth2Type {
    OAuth2Type::ClientCredentials
}
