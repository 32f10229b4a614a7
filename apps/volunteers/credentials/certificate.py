"""The certificate of a registered volunteer as a Verifiable Credential (https://www.w3.org/TR/vc-data-model-2.0/).

It says who may do what, until when, under a number and a pseudonym. The person's name is only in the copy that the
holder downloads, which is signed apart: no selective disclosure is needed where nothing else is personal.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

import msgspec

from apps.volunteers.credentials.did import BadDid, resolve_key_did, web_did
from apps.volunteers.credentials.integrity import ProofOptions, add_proof
from apps.volunteers.credentials.jcs import Json, JsonObject
from apps.volunteers.credentials.multibase import encode_public_key
from apps.volunteers.credentials.statuslist import LIST_ENTRIES, PURPOSES, entry_of
from apps.volunteers.credentials.times import read_stamp, write_stamp
from edge.municipalities import check_code
from ledger.crypto import SigningKey
from ledger.refusal import Reason, Refused, Text

BASE_CONTEXT = "https://www.w3.org/ns/credentials/v2"
TERMS: JsonObject = {
    "@protected": True,
    "VolunteerCertificate": "https://schema.org/EducationalOccupationalCredential",
    "certificateNumber": "https://schema.org/identifier",
    "municipality": "https://schema.org/areaServed",
    "pseudonym": "https://schema.org/alternateName",
    "skills": {"@id": "https://schema.org/skills", "@container": "@set"},
}
"""What our members mean, in the words of schema.org. It is part of each certificate: nothing needs to be loaded."""
CREDENTIAL, CERTIFICATE = "VerifiableCredential", "VolunteerCertificate"
TITLE = "地域貢献活動実施者証明書"

NUMBER = re.compile(r"[A-Za-z0-9-]{1,40}", re.ASCII)
PSEUDONYM = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
SKILL = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
MAX_SKILLS = 40
MAX_NAME = 100
MAX_INDEX = 1_000 * LIST_ENTRIES
SECOND_MS = 1_000


class CertificateReason(Reason):
    BAD_NUMBER = Text(
        "証明書番号 {number} は使えません(英数字と - で40字まで)",
        "{number} is no certificate number: up to 40 letters, digits and hyphens",
    )
    BAD_PSEUDONYM = Text("実施者の識別子 {pseudonym} は使えません", "{pseudonym} is no pseudonym of a volunteer")
    BAD_HOLDER = Text("保有者の識別子が正しくありません: {detail}", "the holder is no did:key: {detail}")
    BAD_SKILLS = Text(
        "できることのコードが正しくありません(重複なしで並べて {limit} 件まで)",
        "the skills must be codes, each once, in order, {limit} at most",
    )
    BAD_NAME = Text("氏名は {limit} 字までで入力してください", "a name has up to {limit} letters, without line breaks")
    BAD_PERIOD = Text(
        "有効期間の終わりは始まりより後の、秒単位の時刻にしてください",
        "the validity must end after its beginning, both on a whole second",
    )
    BAD_INDEX = Text("状態番号 {index} は使えません", "{index} is no index of a status list")


@dataclass(frozen=True, slots=True)
class Publisher:
    """A municipality as an issuer: its name, and the address under which its application publishes."""

    municipality: str
    name: str
    base_url: str
    """Without a slash at the end."""
    did: str

    @classmethod
    def at(cls, base_url: str, municipality: str, name: str) -> Publisher:
        """Several municipalities at one address: each has a path of its own, `/132012/did.json`."""
        return cls(check_code(municipality), name, base_url, web_did(base_url, municipality))

    def certificate_url(self, number: str) -> str:
        return f"{self.base_url}/certificates/{number}"

    def status_url(self, purpose: str, status_index: int) -> str:
        """Of the list that has this index."""
        return f"{self.base_url}/{self.municipality}/status/{purpose}/{status_index // LIST_ENTRIES + 1}"

    @property
    def schema_url(self) -> str:
        return f"{self.base_url}/schemas/volunteer-certificate.json"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says."""

    number: str
    pseudonym: str
    """The volunteer, as the chain knows them."""
    holder: str
    """The volunteer's did:key."""
    skills: tuple[str, ...]
    valid_from_ms: int
    valid_until_ms: int
    """The last second of validity."""
    status_index: int
    """Over all lists: the same place in those of revocation and of suspension."""
    name: str = ""
    """Only in the holder's copy."""

    def without_name(self) -> Certificate:
        return replace(self, name="")


def check_certificate_values(certificate: Certificate) -> None:
    """`Refused` for what no certificate may say."""
    if not NUMBER.fullmatch(certificate.number):
        raise Refused(CertificateReason.BAD_NUMBER, number=certificate.number[:60])
    if not PSEUDONYM.fullmatch(certificate.pseudonym):
        raise Refused(CertificateReason.BAD_PSEUDONYM, pseudonym=certificate.pseudonym[:80])
    try:
        resolve_key_did(certificate.holder)
    except BadDid as error:
        raise Refused(CertificateReason.BAD_HOLDER, detail=str(error)) from None
    skills = certificate.skills
    if len(skills) > MAX_SKILLS or not all(map(SKILL.fullmatch, skills)) or list(skills) != sorted(set(skills)):
        raise Refused(CertificateReason.BAD_SKILLS, limit=MAX_SKILLS)
    if len(certificate.name) > MAX_NAME or (certificate.name and not certificate.name.isprintable()):
        raise Refused(CertificateReason.BAD_NAME, limit=MAX_NAME)
    period = (certificate.valid_from_ms, certificate.valid_until_ms)
    if not 0 <= period[0] < period[1] or any(time_ms % SECOND_MS for time_ms in period):
        raise Refused(CertificateReason.BAD_PERIOD)
    if not 0 <= certificate.status_index < MAX_INDEX:
        raise Refused(CertificateReason.BAD_INDEX, index=certificate.status_index)


# -- making ------------------------------------------------------------------------------------------------------------


def certificate_document(certificate: Certificate, publisher: Publisher) -> JsonObject:
    """The credential, not signed yet."""
    check_certificate_values(certificate)
    subject: JsonObject = {
        "id": certificate.holder,
        "certificateNumber": certificate.number,
        "municipality": publisher.municipality,
        "pseudonym": certificate.pseudonym,
        "skills": list(certificate.skills),
    }
    if certificate.name:
        subject["name"] = certificate.name
    index = certificate.status_index
    entries: list[Json] = [entry_of(publisher.status_url(purpose, index), purpose, index) for purpose in PURPOSES]
    return {
        "@context": [BASE_CONTEXT, TERMS],
        "id": publisher.certificate_url(certificate.number),
        "type": [CREDENTIAL, CERTIFICATE],
        "name": TITLE,
        "issuer": {"id": publisher.did, "name": publisher.name},
        "validFrom": write_stamp(certificate.valid_from_ms),
        "validUntil": write_stamp(certificate.valid_until_ms),
        "credentialSubject": subject,
        "credentialStatus": entries,
        "credentialSchema": {"id": publisher.schema_url, "type": "JsonSchema"},
    }


def issue(certificate: Certificate, publisher: Publisher, key: SigningKey, now_ms: int) -> JsonObject:
    """The signed certificate: the same values, key and time give the same bytes."""
    options = ProofOptions(issuer_method(publisher.did, key), now_ms)
    return add_proof(certificate_document(certificate, publisher), key, options)


def issuer_method(did: str, key: SigningKey) -> str:
    """The name of an issuer's key, as its DID document has it (`did.web_document`)."""
    return f"{did}#{encode_public_key(key.public_key)}"


def write_file(secured: JsonObject) -> bytes:
    """As people download it: JSON in UTF-8, readable. Its layout is no part of what is signed."""
    return json.dumps(secured, ensure_ascii=False, indent=2).encode() + b"\n"


# -- reading -----------------------------------------------------------------------------------------------------------


class PartyForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    name: str


class SubjectForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    id: str
    certificate_number: str
    municipality: str
    pseudonym: str
    skills: tuple[str, ...]
    name: str = ""


class EntryForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    id: str
    type: str
    status_purpose: str
    status_list_index: str
    status_list_credential: str


class SchemaForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    type: str


class DocumentForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    id: str
    type: tuple[str, ...]
    name: str
    issuer: PartyForm
    valid_from: str
    valid_until: str
    credential_subject: SubjectForm
    credential_status: tuple[EntryForm, EntryForm]
    credential_schema: SchemaForm
    context: list[str | dict[str, object]] = msgspec.field(name="@context")


class SecuredForm(DocumentForm, frozen=True, forbid_unknown_fields=True, rename="camel"):
    proof: dict[str, object]


def schema() -> JsonObject:
    """The JSON Schema of a certificate, as `credentialSchema` names it."""
    found: JsonObject = msgspec.json.schema(SecuredForm, schema_hook=_anything)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": TITLE, **found}


def _anything(kind: type) -> JsonObject:
    if kind is not object:
        raise NotImplementedError
    return {"description": "as its own specification has it"}


def read_certificate(document: JsonObject) -> tuple[Certificate, Publisher]:
    """What an unsigned document says; `ValueError` unless it is, member by member, what we would have made of that."""
    found = msgspec.convert(document, DocumentForm)
    subject = found.credential_subject
    suffix = f"/certificates/{subject.certificate_number}"
    if not found.id.endswith(suffix):
        raise ValueError("its id is not the address of its number")
    publisher = Publisher(
        check_code(subject.municipality), found.issuer.name, found.id.removesuffix(suffix), found.issuer.id
    )
    certificate = Certificate(
        number=subject.certificate_number,
        pseudonym=subject.pseudonym,
        holder=subject.id,
        skills=subject.skills,
        valid_from_ms=read_stamp(found.valid_from),
        valid_until_ms=read_stamp(found.valid_until),
        status_index=_index_of(found.credential_status[0]),
        name=subject.name,
    )
    if certificate_document(certificate, publisher) != document:
        raise ValueError("it has not the form of a volunteer certificate")
    return certificate, publisher


def _index_of(entry: EntryForm) -> int:
    """The index over all lists: their number, counted from 1, is at the end of their address."""
    number = entry.status_list_credential.rsplit("/", 1)[-1]
    if not all(re.fullmatch(r"\d{1,10}", text, re.ASCII) for text in (number, entry.status_list_index)):
        raise ValueError("its status entry has no index")
    return (int(number) - 1) * LIST_ENTRIES + int(entry.status_list_index)
