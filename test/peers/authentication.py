"""Results of other programs for a message: dkimpy for DKIM and ARC, authheaders for DMARC, pyspf for SPF, authres for
Authentication-Results.

Reads a JSON object from standard input and prints a JSON value. Messages are base64, records are {NAME: TEXT}.
  {"do": "dkim", "messages", "records"}                           for each message and signature whether it is valid
  {"do": "sign", "message", "key", "domain", "selector", "form"}  the signed message; form such as relaxed/simple
  {"do": "arc", "message", "records"}                             none, pass, fail or ended (by cv=fail), and the reason
  {"do": "seal", "message", "key", "domain", "selector", "host"}  the sealed message; its first field has results of host
  {"do": "results", "field"}                                      name of the gateway, and METHOD=RESULT of each
  {"do": "dmarc", "cases"}                                        RESULT POLICY for each case of dmarc-cases.txt
  {"do": "spf", "cases": [{"ip", "sender", "helo", "zone": {NAME: [[TYPE, DATA]]}}]}    results
"""
import base64
import json
import sys

import authheaders
import dkim
import spf
from authres import AuthenticationResultsHeader, DKIMAuthenticationResult, SPFAuthenticationResult


def finder(records):
    def find(name, timeout=5):
        text = records.get(name.decode().rstrip("."))
        return None if text is None else text.encode()

    return find


def verify_dkim(message, records):
    count = sum(1 for name, _ in dkim.DKIM(message).headers if name.lower() == b"dkim-signature")

    def verify(index):
        try:
            return dkim.DKIM(message).verify(idx=index, dnsfunc=finder(records))
        except dkim.DKIMException:
            return False

    return [verify(index) for index in range(count)]


def sign(message, key, domain, selector, form):
    forms = tuple(part.encode() for part in form.split("/"))
    line = dkim.sign(message, selector.encode(), domain.encode(), key.encode(), canonicalize=forms)
    return base64.b64encode(line + message).decode()


def verify_arc(message, records):
    status, _, reason = dkim.arc_verify(message, dnsfunc=finder(records))
    return ["ended" if status is None else status.decode(), reason]


def seal(message, key, domain, selector, host):
    headers = [b"from", b"to", b"subject"]
    lines = dkim.arc_sign(message, selector.encode(), domain.encode(), key.encode(), host.encode(), include_headers=headers)
    return base64.b64encode(b"".join(lines) + message).decode()


def read_results(field):
    parsed = AuthenticationResultsHeader.parse(field)
    return [parsed.authserv_id] + ["%s=%s" % (result.method, result.result) for result in parsed.results]


class FailedQuery(Exception):
    pass


def records_at(case, host):
    """authheaders passes one text to its own function, which cannot read several records."""
    texts = case["txt"].get("_dmarc." + host, [])
    if texts is None:
        raise FailedQuery
    read = authheaders.dmarc_lookup.answer_to_dict
    tags = [read('"%s"' % text) for text in texts if text.startswith("v=DMARC1")]
    return tags[0] if len(tags) == 1 else {}


def evaluate_dmarc(case):
    """authheaders evaluates one signature, so that the best result for any of them counts."""
    authheaders.dmarc_lookup.lookup_receiver_record = lambda host, dnsfunc=None: records_at(case, host)
    message = "".join("From: %s\r\n" % value for value in case["from"]) + "\r\n"
    spf_result, spf_domain = case["spf"].split(" ")
    results = []
    try:
        for signature in case["dkim"] or ["none none.example"]:
            result, domain = signature.split(" ")
            outcome = authheaders.check_dmarc(
                message.encode(),
                SPFAuthenticationResult(result=spf_result, smtp_mailfrom="x@" + spf_domain),
                DKIMAuthenticationResult(result=result, header_d=domain),
                dnsfunc=lambda name: "exists" if name in case["existing"] else None,
                dmarcbis=True,
            )
            results.append(outcome)
    except FailedQuery:
        return "temperror -"
    except Exception as error:  # The result of the peer is that it fails.
        return "error " + type(error).__name__
    best = next((each for each in results if each.result == "pass"), results[0])
    policy = getattr(best, "policy", None)
    return "%s %s" % (best.result, "-" if best.result == "permerror" or not policy else policy)


def evaluate_spf(case):
    def lookup(name, qtype, strict=True, timeout=20):
        records = case["zone"].get(name.lower().rstrip("."), [])
        if any(kind == "FAIL" for kind, _ in records):
            raise spf.TempError("DNS failure")
        return [((name, kind), encode(kind, data)) for kind, data in records if kind == qtype]

    spf.DNSLookup = lookup
    return spf.query(i=case["ip"], s=case["sender"], h=case["helo"], strict=True).check()[0]


def encode(kind, data):
    if kind == "TXT":
        return (data.encode(),)
    return tuple(data) if isinstance(data, list) else data


def main():
    request = json.load(sys.stdin)
    task = request.pop("do")
    if "message" in request:
        request["message"] = base64.b64decode(request["message"])
    tasks = {
        "dkim": lambda messages, records: [verify_dkim(base64.b64decode(each), records) for each in messages],
        "sign": sign,
        "arc": verify_arc,
        "seal": seal,
        "results": read_results,
        "dmarc": lambda cases: [evaluate_dmarc(case) for case in cases],
        "spf": lambda cases: [evaluate_spf(case) for case in cases],
    }
    json.dump(tasks[task](**request), sys.stdout)


main()
