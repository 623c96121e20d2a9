"""Two servers of aiosmtpd: one announces STARTTLS, the other does not.

Usage: aiosmtpd-server.py FOLDER TLS_PORT CLEAR_PORT SENDER RECIPIENT
FOLDER holds key.pem and certificate.pem. Messages are stored in FOLDER/mail, a Maildir. Refuses SENDER and RECIPIENT.
"""
import asyncio
import itertools
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP

folder, tls_port, clear_port, refused_sender, refused_recipient = sys.argv[1:]
numbers = itertools.count()


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        if address == refused_sender:
            return "550 5.7.1 refused"
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address == refused_recipient:
            return "550 5.1.1 refused"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        for address in envelope.rcpt_tos:
            name = str(next(numbers))
            with open(f"{folder}/mail/tmp/{name}", "wb") as file:
                file.write(f"Delivered-To: {address}\r\n".encode() + envelope.original_content)
            os.rename(f"{folder}/mail/tmp/{name}", f"{folder}/mail/new/{name}")
        return "250 2.0.0 stored"


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/certificate.pem", f"{folder}/key.pem")
    loop = asyncio.get_running_loop()
    for port, tls_context in ((tls_port, context), (clear_port, None)):
        await loop.create_server(lambda tls=tls_context: SMTP(Handler(), tls_context=tls), "127.0.0.1", int(port))
    await asyncio.Event().wait()


asyncio.run(main())
