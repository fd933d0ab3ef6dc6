"""The lab's token issuer, and the check of its tokens.

Owns the signing key and the rules of Entra's token endpoint that clients depend on. Tokens
run on wall time. It must never log a token, a secret or an assertion.

A token is one tenant's. Published (authenticate-multi-tenant): the primary token must be of the
tenant that owns the subscription; ``x-ms-authorization-auxiliary`` holds up to three tokens of
others, all of which must be valid and unexpired, or the answer is 401.
"""

from __future__ import annotations

import hmac
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from erfailover.lab.auth.identity import Identity
from erfailover.lab.core.errors import Refusal
from erfailover.lab.core.world import Body

LIFETIME_S = 3600
FEDERATED_LIFETIME_S = 365 * 24 * 3600
FEDERATED_AUDIENCE = "api://AzureADTokenExchange"
PUBLIC_AUDIENCES = frozenset(
    {
        "https://management.azure.com",
        "https://management.core.windows.net",
        "https://management.usgovcloudapi.net",
        "https://management.chinacloudapi.cn",
        "https://management.core.usgovcloudapi.net",
        "https://management.core.chinacloudapi.cn",
    }
)
"""The management audiences of the public clouds."""

MOST_CHECKED = 1000
"""The most checked tokens that are remembered."""
STORAGE_AUDIENCE = "https://storage.azure.com"
"""Tokens for it are granted, with the issuer of the public cloud that Azurite insists on (seen by
running it); they do not open the lab."""

VAULT_AUDIENCES = frozenset(
    {"https://vault.azure.net", "https://vault.azure.cn", "https://vault.usgovcloudapi.net"}
)
"""Key Vault's audiences: tokens for them are granted, and are not valid in the lab."""


AUXILIARY = "x-ms-authorization-auxiliary"
MOST_AUXILIARY = 3


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """An answer of the token endpoint."""

    status: int
    body: Body


class TokenIssuer:
    """Issues tokens to the lab's one client, and checks them."""

    def __init__(self, identity: Identity, private_key: bytes | None = None) -> None:
        self._identity = identity
        if private_key is None:
            self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        else:
            loaded = serialization.load_pem_private_key(private_key, password=None)
            if not isinstance(loaded, rsa.RSAPrivateKey):
                raise ValueError("the lab's signing key must be an RSA key")
            self._key = loaded
        self._public = self._key.public_key()
        self._key_id = uuid.uuid5(uuid.NAMESPACE_OID, str(self._public.public_numbers().n)).hex
        self._checked: dict[str, tuple[float, str, str]] = {}
        self.lifetime_s: float = LIFETIME_S
        """How long a token lasts that the token endpoint grants."""
        self.without_client: set[str] = set()
        """Tenants to which the client was not added: they grant it no token."""
        self.granted: list[str] = []
        """The tenants whose tokens were granted, in order."""

    def export_private_key(self) -> bytes:
        """Return the signing key as PEM, to be stored readable by its owner only."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def issue_federated_token(self) -> str:
        """Return the client's assertion of its identity, for ``AZURE_FEDERATED_TOKEN_FILE``."""
        now = int(time.time())
        return self._sign(
            {
                "iss": "https://lab/federated",
                "sub": self._identity.client_id,
                "aud": FEDERATED_AUDIENCE,
                "iat": now,
                "exp": now + FEDERATED_LIFETIME_S,
            }
        )

    def issue_access_token(
        self,
        issuer: str,
        audience: str,
        lifetime_s: float = LIFETIME_S,
        tenant: str = "",
        **more: str,
    ) -> str:
        """Return an access token for the lab's client, by default of the first tenant.

        ``more`` are further claims.
        """
        now = int(time.time())
        identity = self._identity
        directory = identity.find_tenant(tenant) or identity.tenants[0]
        return self._sign(
            {
                "aud": audience,
                "iss": issuer,
                "iat": now,
                "nbf": now,
                "exp": int(now + lifetime_s),
                "appid": identity.client_id,
                "appidacr": "1",
                "idp": issuer,
                "idtyp": "app",
                "oid": directory.object_id,
                "sub": directory.object_id,
                "tid": directory.id,
                "uti": uuid.uuid4().hex,
                "ver": "1.0",
                **more,
            }
        )

    def _sign(self, claims: Body) -> str:
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._key_id})

    def grant(self, base: str, tenant: str, form: Mapping[str, str]) -> TokenAnswer:
        """Answer a request to the token endpoint (OAuth 2.0 client credentials)."""
        identity = self._identity
        directory = identity.find_tenant(tenant)
        if directory is None:
            return _deny("invalid_request", 90002, f"Tenant '{tenant}' not found.")
        if form.get("grant_type") != "client_credentials":
            kind = form.get("grant_type", "")
            return _deny("unsupported_grant_type", 70003, f"grant type '{kind}' not supported.")
        if (
            form.get("client_id", "").lower() != identity.client_id
            or directory.id in self.without_client
        ):
            return _deny(
                "unauthorized_client", 700016, "Application was not found in the directory."
            )
        refused = self._validate_client(form)
        if refused is not None:
            return refused
        audience = (form.get("scope") or form.get("resource") or "").split(" ")[0]
        audience = audience.removesuffix("/.default").rstrip("/")
        issuer = f"{base}/{directory.id}/"
        if audience == STORAGE_AUDIENCE:
            issuer = f"https://sts.windows.net/{directory.id}/"
        elif audience not in VAULT_AUDIENCES and not self.is_known_audience(base, audience):
            text = f"The resource principal named {audience} was not found in the tenant."
            return _deny("invalid_resource", 500011, text)
        token = self.issue_access_token(issuer, audience, self.lifetime_s, directory.id)
        self.granted.append(directory.id)
        return TokenAnswer(
            200,
            {
                "token_type": "Bearer",
                "expires_in": int(self.lifetime_s),
                "ext_expires_in": int(self.lifetime_s),
                "access_token": token,
            },
        )

    def _validate_client(self, form: Mapping[str, str]) -> TokenAnswer | None:
        if "client_assertion" in form:
            try:
                claims = jwt.decode(
                    form["client_assertion"],
                    self._public,
                    algorithms=["RS256"],
                    audience=FEDERATED_AUDIENCE,
                )
            except jwt.InvalidTokenError:
                return _deny("invalid_client", 700211, "The client assertion is not valid.", 401)
            if claims.get("sub") != self._identity.client_id:
                return _deny("invalid_client", 70021, "No matching federated identity.", 401)
            return None
        sent = form.get("client_secret", "").encode()
        if hmac.compare_digest(sent, self._identity.client_secret.encode()):
            return None
        return _deny("invalid_client", 7000215, "Invalid client secret provided.", 401)

    def is_known_audience(self, base: str, audience: str) -> bool:
        """Return whether an audience is the lab's own or a public cloud's."""
        return audience.rstrip("/") in {base, *_list_loopback_names(base), *PUBLIC_AUDIENCES}

    def check(self, base: str, authorization: str, owner: str = "") -> Refusal | None:
        """Return the refusal if an ``Authorization`` header is not accepted; None if it is.

        Documented codes and headers of ARM. ``WWW-Authenticate`` names the tenant
        that owns the subscription to a request without a token (reported: shawntabrizi.com,
        "Secret APIs in Azure Active Directory and Azure Resource Manager").

        Args:
            base: the lab's own endpoint.
            authorization: the header.
            owner: the tenant that owns the subscription; empty for a request outside of any.
        """
        tenant = owner or self._identity.tenant
        if not authorization:
            return _refuse_unauthorized(
                base,
                tenant,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
            )
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            text = "The authentication scheme is not supported."
            return _refuse_unauthorized(base, tenant, "AuthenticationFailedInvalidHeader", text)
        refusal = self._check_token(base, token.strip(), tenant)
        if refusal is None and owner and self._checked[token.strip()][2] != owner:
            return self.refuse_other_tenant(base, self._checked[token.strip()][2], owner)
        return refusal

    def get_tenant(self, authorization: str) -> str:
        """Return the tenant of the checked token in a header."""
        checked = self._checked.get(authorization.partition(" ")[2].strip())
        return checked[2] if checked is not None else self._identity.tenant

    def check_auxiliary(self, base: str, header: str) -> Refusal | None:
        """Return the refusal of ``x-ms-authorization-auxiliary``; None if its tokens are valid.

        Published: 401 with the client and the tenant of the invalid token. Assumed: code and
        message, and the refusal of more than three tokens.
        """
        tokens = _split_auxiliary_tokens(header)
        if len(tokens) > MOST_AUXILIARY:
            text = f"The auxiliary header has {len(tokens)} tokens; at most {MOST_AUXILIARY} fit."
            return _refuse_unauthorized(
                base, self._identity.tenant, "InvalidAuxiliaryAuthenticationHeader", text
            )
        for token in tokens:
            refusal = self._check_token(base, token, self._identity.tenant)
            if refusal is not None:
                claims = _read_unverified(token)
                text = (
                    f"{refusal.message} The auxiliary token is of client "
                    f"'{claims.get('appid', '')}' and tenant '{claims.get('tid', '')}'."
                )
                return _refuse_unauthorized(base, self._identity.tenant, refusal.code, text)
        return None

    def list_auxiliary_tenants(self, header: str) -> frozenset[str]:
        """Return the tenants of the auxiliary tokens, which were checked."""
        return frozenset(
            self._checked[token][2]
            for token in _split_auxiliary_tokens(header)
            if token in self._checked
        )

    def _check_token(self, base: str, token: str, tenant: str) -> Refusal | None:
        checked = self._checked.get(token)
        if checked is not None and checked[0] > time.time() and checked[1] == base:
            return None
        try:
            claims = jwt.decode(
                token,
                self._public,
                algorithms=["RS256"],
                options={"verify_aud": False, "require": ["exp", "aud", "iss", "tid"]},
            )
        except jwt.ExpiredSignatureError:
            return self.refuse_expired(base, tenant)
        except (jwt.InvalidTokenError, UnicodeEncodeError):
            text = "The access token is invalid."
            return _refuse_unauthorized(base, tenant, "InvalidAuthenticationToken", text)
        if self._identity.find_tenant(str(claims["tid"])) is None:
            return self.refuse_other_tenant(base, str(claims["tid"]), tenant)
        if not self.is_known_audience(base, str(claims["aud"])):
            text = "The access token has been obtained for wrong audience or resource."
            return _refuse_unauthorized(base, tenant, "InvalidAuthenticationTokenAudience", text)
        if len(self._checked) > MOST_CHECKED:
            self._checked.clear()
        self._checked[token] = (float(claims["exp"]), base, str(claims["tid"]))
        return None

    def refuse_expired(self, base: str, tenant: str = "") -> Refusal:
        """Return the refusal of an expired token."""
        text = "The access token expiry UTC time is earlier than current UTC time."
        tenant = tenant or self._identity.tenant
        return _refuse_unauthorized(base, tenant, "ExpiredAuthenticationToken", text)

    def refuse_other_tenant(self, base: str, issuer: str, owner: str) -> Refusal:
        """Return the refusal of a token in a subscription of another tenant.

        Reported, word for word: AzViz 37, azure-tools-vscode 44, azure-sdk-for-net 49391.

        Args:
            base: the lab's own endpoint.
            issuer: the tenant whose token it is.
            owner: the tenant that owns the subscription.
        """
        text = (
            f"The access token is from the wrong issuer 'https://sts.windows.net/{issuer}/'. It "
            f"must match the tenant 'https://sts.windows.net/{owner}/' associated with this "
            f"subscription. Please use the authority (URL) 'https://login.windows.net/{owner}' to "
            "get the token. Note, if the subscription is transferred to another tenant there is "
            "no impact to the services, but information about new tenant could take time to "
            "propagate (up to an hour). If you just transferred your subscription and see this "
            "error message, please try back later."
        )
        return _refuse_unauthorized(base, owner, "InvalidAuthenticationTokenTenant", text)

    def get_public_keys(self) -> Body:
        """Return the public key in the form of the ``keys`` endpoint."""
        key = RSAAlgorithm.to_jwk(self._public, as_dict=True)
        named = {"use": "sig", "kid": self._key_id, "x5t": self._key_id}
        return {"keys": [{**named, **{name: key[name] for name in ("kty", "n", "e")}}]}

    def get_configuration(self, base: str, tenant: str) -> Body:
        """Return the OpenID configuration of a tenant."""
        at = f"{base}/{tenant}"
        return {
            "issuer": f"{at}/v2.0",
            "authorization_endpoint": f"{at}/oauth2/v2.0/authorize",
            "token_endpoint": f"{at}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{at}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{at}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": None,
            "cloud_instance_name": base.removeprefix("https://"),
        }


def _split_auxiliary_tokens(header: str) -> list[str]:
    """Split the header at commas (published), or at semicolons (azure-cli's track 1)."""
    parts = [part.strip() for part in header.replace(";", ",").split(",") if part.strip()]
    return [part.partition(" ")[2].strip() for part in parts]


def _read_unverified(token: str) -> Body:
    try:
        claims: Body = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}
    return claims


def _list_loopback_names(base: str) -> tuple[str, ...]:
    scheme, _, host = base.partition("://")
    port = host.rpartition(":")[2]
    return tuple(f"{scheme}://{name}:{port}" for name in ("localhost", "127.0.0.1"))


def _deny(error: str, number: int, text: str, status: int = 400) -> TokenAnswer:
    return TokenAnswer(
        status,
        {
            "error": error,
            "error_description": f"AADSTS{number}: {text}",
            "error_codes": [number],
            "correlation_id": str(uuid.uuid4()),
        },
    )


def _refuse_unauthorized(base: str, tenant: str, code: str, message: str) -> Refusal:
    challenge = (
        f'Bearer authorization_uri="{base}/{tenant}", error="invalid_token", '
        f'error_description="{message}"'
    )
    return Refusal(401, code, message, headers={"WWW-Authenticate": challenge})
