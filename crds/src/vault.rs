//! Parts of a TriggerAuthentication that read a secret store.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identity::{PodIdentity, SecretValue};
use crate::open_enum::open_enum;

open_enum! {
    /// How to log in to HashiCorp Vault.
    VaultAuthentication {
        /// With a token.
        Token = "token",
        /// With the token of a service account.
        Kubernetes = "kubernetes",
    }
}

/// Parameters from HashiCorp Vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HashiCorpVault {
    /// Address of the server.
    pub address: String,
    /// Vault namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How to log in.
    pub authentication: VaultAuthentication,
    /// Role, for the `kubernetes` method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Mount of the authentication method, for the `kubernetes` method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<String>,
    /// What to log in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<VaultCredential>,
    /// Secrets to read.
    #[schemars(length(min = 1))]
    pub secrets: Vec<VaultSecret>,
}

/// What to log in with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultCredential {
    /// Token, for the `token` method; used when the operator has no `VAULT_TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Path of a projected service-account token in the operator's pod. Without a credential block that is
    /// `/var/run/secrets/kubernetes.io/serviceaccount/token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// Service account for which a token is requested. It overrides `serviceAccount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
}

open_enum! {
    /// Engine of a Vault secret.
    VaultSecretType {
        /// Found out from the answer: version 1 or 2 of the key-value engine.
        Detect = "",
        /// Key-value engine, version 2.
        SecretV2 = "secretV2",
        /// Key-value engine, version 1.
        Secret = "secret",
        /// PKI engine.
        Pki = "pki",
    }
}

/// One parameter from HashiCorp Vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultSecret {
    /// Parameter of the trigger that gets the value.
    pub parameter: String,
    /// Path of the secret.
    pub path: String,
    /// Key inside it.
    pub key: String,
    /// Engine: `secret` (key-value version 1), `secretV2` or `pki`; empty finds out which key-value version it is.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<VaultSecretType>,
    /// Certificate to request from the `pki` engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pki_data: Option<VaultPkiData>,
}

/// Certificate to request from the PKI engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultPkiData {
    /// Common name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_name: Option<String>,
    /// Alternative DNS names and mail addresses, joined by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt_names: Option<String>,
    /// Alternative IP addresses, joined by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_sans: Option<String>,
    /// Alternative URIs, joined by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri_sans: Option<String>,
    /// Other alternative names, joined by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_sans: Option<String>,
    /// How long the certificate is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Format of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// Parameters from Azure Key Vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureKeyVault {
    /// Address of the vault.
    pub vault_uri: String,
    /// Secrets to read.
    #[schemars(length(min = 1))]
    pub secrets: Vec<AzureKeyVaultSecret>,
    /// Client credentials to log in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<AzureKeyVaultCredentials>,
    /// Identity to log in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_identity: Option<PodIdentity>,
    /// Accepted for compatibility; everything follows from `vaultUri`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<AzureKeyVaultCloud>,
}

/// One parameter from Azure Key Vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AzureKeyVaultSecret {
    /// Parameter of the trigger that gets the value.
    pub parameter: String,
    /// Name of the secret.
    pub name: String,
    /// Version of the secret. Default: the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Client credentials for Azure Key Vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureKeyVaultCredentials {
    /// Client ID.
    pub client_id: String,
    /// Tenant ID.
    pub tenant_id: String,
    /// Client secret.
    pub client_secret: SecretValue,
}

/// Azure cloud that the vault belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureKeyVaultCloud {
    /// Name of the cloud.
    #[serde(rename = "type")]
    pub type_: String,
    /// Address of the vault resource, in a private cloud.
    #[serde(
        default,
        rename = "keyVaultResourceURL",
        skip_serializing_if = "Option::is_none"
    )]
    pub key_vault_resource_url: Option<String>,
    /// Address of the directory, in a private cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_directory_endpoint: Option<String>,
}

/// Parameters from Google Secret Manager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GcpSecretManager {
    /// Secrets to read.
    #[schemars(length(min = 1))]
    pub secrets: Vec<GcpSecret>,
    /// Service-account key to log in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<GcpCredentials>,
    /// Identity to log in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_identity: Option<PodIdentity>,
}

/// Service-account key for Google Secret Manager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GcpCredentials {
    /// The key, as a JSON document.
    pub client_secret: SecretValue,
}

/// One parameter from Google Secret Manager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GcpSecret {
    /// Parameter of the trigger that gets the value.
    pub parameter: String,
    /// ID of the secret.
    pub id: String,
    /// Version of the secret. Default `latest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Parameters from AWS Secrets Manager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsSecretManager {
    /// Secrets to read.
    #[schemars(length(min = 1))]
    pub secrets: Vec<AwsSecret>,
    /// Access key to log in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<AwsCredentials>,
    /// Identity to log in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_identity: Option<PodIdentity>,
    /// Region of the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// Access key for AWS Secrets Manager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsCredentials {
    /// Access key ID.
    pub access_key: SecretValue,
    /// Secret access key.
    pub access_secret_key: SecretValue,
    /// Session token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<SecretValue>,
}

/// One parameter from AWS Secrets Manager.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsSecret {
    /// Parameter of the trigger that gets the value.
    pub parameter: String,
    /// Name of the secret.
    pub name: String,
    /// Version of the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Staging label of the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_stage: Option<String>,
    /// When set, the secret is a JSON object and this key of it is the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key: Option<String>,
}
