"""Signatures that the RFCs of JOSE have published, checked by what hookkit has of them.

hookkit has no scheme for a JWS but 8x8's, which is RS256 and detached; of the others, what is
signed is given to the family that has the algorithm, as whoever adds such a sender would do.

https://www.rfc-editor.org/rfc/rfc7515#appendix-A, rfc7797#section-4, rfc7520#section-4.4,
rfc8037#appendix-A.4
"""

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP521R1,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hookkit.core.delivery import Delivery
from hookkit.core.errors import Rejected, SignatureMismatch
from hookkit.signatures.detached_jws import read_token
from hookkit.signatures.encodings import decode, encode
from hookkit.signatures.keyed_hash import KeyedHash
from hookkit.signatures.public_key import KeyedSignature
from hookkit.signatures.rsa import read_key, read_private_key

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HS256 = KeyedHash(header="x-signature", encoding="base64", secret_encoding="base64")

CLAIMS = (
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
HEADER_A1 = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
HEADER_A2 = "eyJhbGciOiJSUzI1NiJ9"
HEADER_A3 = "eyJhbGciOiJFUzI1NiJ9"
HEADER_A4 = "eyJhbGciOiJFUzUxMiJ9"
SIGNATURE_A1 = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
SIGNATURE_A2 = (
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt"
    "_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArL"
    "IARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7no"
    "OPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ"
    "Ge77Rw"
)
SIGNATURE_A3 = (
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
SIGNATURE_A4 = (
    "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_"
    "7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXo"
    "lLzeO_Jn"
)
KEY_A2 = {
    "kty": "RSA",
    "n": (
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJ"
        "PMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0"
        "LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD"
        "Zlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2"
        "PAcDTW9gb54h4FRWyuXpoQ"
    ),
    "e": "AQAB",
    "d": (
        "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9S"
        "E-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVd"
        "xzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQ"
        "UShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjn"
        "czT0QU91p1DhOVRuOopznQ"
    ),
    "p": (
        "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQT"
        "a9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV"
        "5z-y2XDwGUc"
    ),
    "q": (
        "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7"
        "C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rj"
        "cJIDEz9RWdc"
    ),
    "dp": (
        "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_P"
        "I7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1Xs"
        "mvkxHQAdYo0"
    ),
    "dq": (
        "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oK"
        "r6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTd"
        "lqvd0tIiTHU"
    ),
    "qi": (
        "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_"
        "QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0J"
        "KSHuLFkuQ3U"
    ),
}
KEY_A3 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
}
KEY_A4 = {
    "kty": "EC",
    "crv": "P-521",
    "x": (
        "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk"
    ),
    "y": (
        "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"
    ),
    "d": (
        "AY5pb7A0UFiB3RELSD64fTLOSV_jazdF7fLYyuTw8lOfRhWg6Y6rUrPAxerEzgdRhajnu0ferB0d53vM9mE15j2C"
    ),
}
KEY_A1 = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
ROAD = (
    "It\u2019s a dangerous business, Frodo, going out your door. You step onto the road, and if you"
    " don't keep your feet, there\u2019s no knowing where you might be swept off to."
)
HEADER_OF_ROAD = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9"
UNENCODED = "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19"


def standard(text):
    """Return base64url *text* as base64, which is how the family writes it."""
    return base64.b64encode(decode(text)).decode()


def is_verified(scheme, signed, signature, key):
    delivery = Delivery(
        endpoint="e", body=signed, headers={"x-signature": signature}, received_at=NOW
    )
    try:
        return scheme.verify(delivery, [key]).secret_index == 0
    except SignatureMismatch:
        return False


@pytest.mark.parametrize(
    ("key", "signed", "signature"),
    [
        pytest.param(
            KEY_A1,
            f"{UNENCODED}.$.02",
            "A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY",
            id="J-1: the payload is not encoded",
        ),
        pytest.param(
            KEY_A1,
            "eyJhbGciOiJIUzI1NiJ9.JC4wMg",
            "5mvfOroL-g7HyqJoozehmsaqmvTYGEq5jTI1gVvoEoQ",
            id="J-2",
        ),
        pytest.param(KEY_A1, f"{HEADER_A1}.{CLAIMS}", SIGNATURE_A1, id="J-3"),
        pytest.param(
            "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
            f"{HEADER_OF_ROAD}.{encode(ROAD.encode())}",
            "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
            id="J-8",
        ),
    ],
)
def test_hmac_of_a_jws_is_verified_and_made_again(key, signed, signature):
    secret = standard(key).encode()

    assert HS256.sign(signed.encode(), secret, NOW) == {"x-signature": standard(signature)}
    assert is_verified(HS256, signed.encode(), standard(signature), secret)
    assert not is_verified(HS256, signed.encode() + b" ", standard(signature), secret)


def test_rsa_of_a_jws_is_verified_and_made_again():
    """J-4: by the key of 8x8's scheme."""
    signed = f"{HEADER_A2}.{CLAIMS}".encode()
    public = read_key({name: KEY_A2[name] for name in ("kty", "n", "e")})

    assert read_private_key(json.dumps(KEY_A2).encode()).sign(signed) == SIGNATURE_A2
    assert public.fits(decode(SIGNATURE_A2), signed)
    assert not public.fits(decode(SIGNATURE_A2), signed + b" ")


def public_of(curve, key):
    x, y = (int.from_bytes(decode(key[name])) for name in "xy")
    public = EllipticCurvePublicNumbers(x, y, curve).public_key()
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def test_ecdsa_of_a_jws_is_verified():
    """J-5; a JWS has both numbers side by side, and the family has them in DER."""
    scheme = KeyedSignature(header="x-signature", algorithm="ecdsa-p256")
    raw = decode(SIGNATURE_A3)
    signature = base64.b64encode(
        encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    ).decode()
    signed, key = f"{HEADER_A3}.{CLAIMS}".encode(), public_of(SECP256R1(), KEY_A3)

    assert is_verified(scheme, signed, signature, key)
    assert not is_verified(scheme, signed + b" ", signature, key)
    assert not is_verified(scheme, signed, standard(SIGNATURE_A3), key)


def test_key_of_another_curve_is_refused():
    """J-6: ES512 is none of the algorithms."""
    scheme = KeyedSignature(header="x-signature", algorithm="ecdsa-p256")

    with pytest.raises(ValueError, match="another curve"):
        scheme.check_secret(public_of(SECP521R1(), KEY_A4))


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("eyJhbGciOiJub25lIn0..", id="J-7: none"),
        pytest.param(f"eyJhbGciOiJub25lIn0.{CLAIMS}.", id="J-7 as it is published"),
        pytest.param(f"{UNENCODED}..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY", id="J-1"),
        pytest.param(f"{HEADER_A1}..{SIGNATURE_A1}", id="J-3"),
        pytest.param(f"{HEADER_A2}..{SIGNATURE_A2}", id="J-4: RS256, and encoded"),
        pytest.param(f"{HEADER_A3}..{SIGNATURE_A3}", id="J-5"),
        pytest.param(f"{HEADER_A4}..{SIGNATURE_A4}", id="J-6"),
        pytest.param(f"{HEADER_OF_ROAD}..s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0", id="J-8"),
    ],
)
def test_jws_of_another_kind_is_none_of_8x8(token):
    with pytest.raises(Rejected):
        read_token(token)


def test_eddsa_of_a_jws_is_verified_and_made_again():
    """J-9."""
    scheme = KeyedSignature(header="x-signature", algorithm="ed25519")
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    private = standard("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").encode()
    public = standard("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").encode()
    signature = standard(
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )

    assert scheme.sign(signed, private, NOW) == {"x-signature": signature}
    assert is_verified(scheme, signed, signature, public)
    assert not is_verified(scheme, signed + b" ", signature, public)
