"""A receiver and a sender of reports that use other programs' code: dkimpy and Python's own MIME.

Usage: tls-report.py verify KEY_RECORD < MAIL   prints the content as JSON
       tls-report.py sign KEY_FILE < MAIL       prints the mail with its signature before it
"""
import email
import gzip
import json
import sys
from email import policy

import dkim


def verify(mail: bytes, record: str) -> dict:
    message = email.message_from_bytes(mail, policy=policy.default)
    parts = [part for part in message.iter_attachments() if part.get_content_type() == "application/tlsrpt+gzip"]
    return {
        "signature": dkim.verify(mail, dnsfunc=lambda name, timeout=5: record.encode()),
        "type": message.get_content_type(),
        "reportType": message["Content-Type"].params["report-type"],
        "subject": message["Subject"],
        "domain": message["TLS-Report-Domain"],
        "filenames": [part.get_filename() for part in parts],
        "reports": [json.loads(gzip.decompress(part.get_content())) for part in parts],
    }


def sign(mail: bytes, key_file: str) -> bytes:
    with open(key_file, "rb") as key:
        return dkim.sign(mail, b"reports", b"sender.example", key.read()) + mail


def main() -> None:
    mail = sys.stdin.buffer.read()
    if sys.argv[1] == "verify":
        json.dump(verify(mail, sys.argv[2]), sys.stdout)
    else:
        sys.stdout.buffer.write(sign(mail, sys.argv[2]))


main()
