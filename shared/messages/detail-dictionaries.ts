/**
 * The dictionaries of packed details, by version. A dictionary is text that details often contain: their fields in the
 * order in which they are written, and the sentences of the explanations. What is at its end costs least. Stored items
 * need their dictionary, so a dictionary is never changed. A new one is added at the end.
 */

/** Sentences and values, the rarest first. */
const sentences = [
  'The canary has arrived',
  ' is the address for reports on TLS, which mailflow stores.',
  'No outbound connector routes the accepted domain ',
  ', and its MX host is usually mailflow itself, which would cause a mail loop.',
  'The message is outside the accepted domains, and the client is not identified: relay denied.',
  'Relay access denied: 550 5.7.64 Relaying denied',
  'An administrator returned the message.',
  'It keeps the requirement of connector "", because no connector applies to it now.',
  ', because the current connector lowers ',
  'The client is not identified: the connector expects a certificate for ',
  ' is not in ',
  'presented no certificate; presented names [',
  'It applies only to recipients in ',
  'It is disabled.',
  '" is enforced, and this connector only reports.',
  '" identifies the certificate, which takes precedence over an address.',
  ', which is more specific than ',
  " as the organisation's own server: relay is granted.",
  'The client is identified by its certificate',
  'The client is identified by its address ',
  ' The ingress accepts at most 100 messages per minute under this connector.',
  'The connector has no requirements for a session.',
  'The session meets the requirements: TLS (TLSv1.2), the certificate (CN=mail.',
  'The session meets the requirements: TLS (TLSv1.3), the address (',
  '; revocationCheck HardFail',
  'opportunistic TLS; report only: MTA-STS and DANE',
  'CertificateValidation; DomainValidation, the certificate must be for mail.',
  'through smart hosts ',
  'through Amazon SES; EncryptionOnly',
  'through MX hosts',
  'No outbound connector matches : default route Mx, TLS as the domain publishes it (DANE, MTA-STS), otherwise opportunistic.',
  'default route Ses, opportunistic TLS.',
  'InboundCertificateRestriction',
  'InboundAddressRestriction',
  'InboundTlsRequired',
  'NoRouteForAcceptedDomain',
  'OutboundTlsNotMet',
  'RefusedByNextHop',
  'RetryLater',
  'Expired',
  'TlsNotMet',
  'PermanentFailure',
  'The certificate is not trusted: ',
  'Not required; the certificate would not be trusted: SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'certificate-host-mismatch',
  'starttls-not-supported',
  '451 4.7.321 STARTTLS is not offered',
  '451 4.4.316 Connection refused',
  'Connection timed out',
  ' ended with 451 4.3.0 ',
  'Attempt 1 at ',
  '550 5.1.1 No such user',
  'try again later',
  '2.1.5 ',
  'Message accepted for delivery',
  '250 2.0.0 Ok: queued as ',
  '2.6.0 <@prod.outlook.com> [InternalId=, Hostname=.namprd00.prod.outlook.com] Queued mail for delivery',
  '"Requested mail action okay, completed"',
]

/** The parts of what the ingress and authenticate-message add to a message. */
const messageSample =
  '{"receivedAt":"2026-01-15T12:00:00.000Z","source":{"ip":"2001:db8:","port":50000,"helo":"mail-.outbound.protection.outlook.com"},' +
  '"direction":"Originating","attributedTo":null,"canary":"canary+","exchangeOnline":{"tenantIds":[""],"originatorOrganizations":[""],"alignedSignatures":null},' +
  '"source":null,"direction":"Incoming","attributedTo":null,"tls":{"negotiated":false,"protocol":null,"cipher":null,"group":null,"forwardSecrecy":false,"serverName":null,"clientCertificate":null},' +
  '"tls":{"negotiated":true,"protocol":"TLSv1.2","cipher":"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384","group":null,"forwardSecrecy":true,"serverName":"mx.mail.com","revocation":{"status":"Unknown","detail":"CRL "}},' +
  '"protocol":"TLSv1.3","cipher":"TLS_CHACHA20_POLY1305_SHA256","protocol":"TLSv1.3","cipher":"TLS_AES_128_GCM_SHA256",' +
  '"tls":{"negotiated":true,"protocol":"TLSv1.3","cipher":"TLS_AES_256_GCM_SHA384","group":null,"forwardSecrecy":true,"serverName":"mail.","clientCertificate":null},' +
  '"envelope":{"mailFrom":"","smtpUtf8":true,"eightBitMime":false,"requireTls":true,"dsn":{"ret":"FULL","envid":"HDRS"}},' +
  '"envelope":{"mailFrom":"","smtpUtf8":false,"eightBitMime":true,"requireTls":false,"dsn":{"ret":null,"envid":null}},' +
  '"authentication":{"at":"2026-01-15T12:00:00.000Z","internal":null,"spf":{"result":"softfail","domain":""},"dkim":[{"result":"temperror","domain":"","selector":"selector1","aligned":false}],' +
  '"spf":{"result":"pass","domain":""},"dkim":[{"result":"pass","domain":"","selector":"","aligned":true}],"dmarc":{"result":"fail","fromDomain":"","policy":"quarantine","alignedBy":[]},' +
  '"dmarc":{"result":"none","fromDomain":"","policy":null,"alignedBy":[]},"dmarc":{"result":"pass","fromDomain":"","policy":"reject","alignedBy":["spf","dkim"]},"arc":{"result":"pass","sealer":"microsoft.com"},' +
  '"arc":{"result":"none","sealer":null},"fields":"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=; s=; t=;\\r\\n b=' +
  'ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=; s=;\\r\\n h=from:to:subject:date:message-id:mime-version; bh=; b=' +
  'ARC-Authentication-Results: i=1; ' +
  'Authentication-Results: mail.;\\r\\n spf=softfail;\\r\\n spf=fail;\\r\\n spf=none;\\r\\n spf=neutral smtp.helo=;\\r\\n dkim=fail;\\r\\n dkim=none;\\r\\n dkim=temperror;\\r\\n dmarc=fail policy.dmarc=quarantine header.from=;\\r\\n dmarc=none header.from=;\\r\\n arc=fail smtp.remote-ip=\\r\\n' +
  'Authentication-Results: mail.;\\r\\n spf=pass smtp.mailfrom=;\\r\\n dkim=pass header.d= header.s=selector1 header.a=rsa-sha256 header.b=\\"\\";\\r\\n dkim=pass header.d= header.s=s1 header.a=rsa-sha256 header.b=\\"\\";\\r\\n dmarc=pass policy.dmarc=reject header.from=;\\r\\n arc=none smtp.remote-ip=\\r\\n' +
  'Received-SPF: none (:  has no SPF record)\\r\\nReceived-SPF: softfail (:  probably does not permit the client)\\r\\n' +
  'Received-SPF: pass (mail.:  permits the client)\\r\\n receiver=mail.;\\r\\n client-ip=;\\r\\n envelope-from=\\"@\\";\\r\\n helo=;\\r\\n identity=mailfrom\\r\\n"},' +
  '"headerMessageId":"<.prod.outlook.com>","headerMessageId":"<CA@mail.gmail.com>","size":,"content":{"bucket":"mailflow-contentbucket","key":"messages/","key":"dsn/","key":"segments/01K","offset":0,"length":,"sha256":"0123456789abcdef"}}'

const attemptSample =
  '"outcome":"PermanentFailure","reply":{"code":550,"enhanced":"5.1.1","text":"tlsResult":null,"reportOnly":{"code":451,"enhanced":"4.7.321","text":"unanswered":true,"host":null,"ip":null,"host":"Amazon SES","ip":null,"tls":null,"tlsResult":null,"reportOnly":null,' +
  '"policy":"EncryptionOnly","policySource":"RequireTls","reportOnlyLevel":"DomainValidation","policy":"CertificateValidation","policySource":"MtaSts","policy":"DomainValidation","policySource":"Connector",' +
  '"tls":{"protocol":"TLSv1.2","cipher":"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384","group":"prime256v1","verified":false,"notVerified":"Not required","revocation":{"status":"Good","detail":"CRL "},' +
  '"tlsResult":"certificate-not-trusted","reportOnly":null,"dsnPassedOn":true,"outcome":"TemporaryFailure","reply":{"code":451,"enhanced":"4.3.0","text":"' +
  '"policy":"Opportunistic","policySource":"Opportunistic","reportOnlyLevel":null,"tls":{' +
  '{"number":1,"at":"2026-01-15T12:00:00.000Z","durationMs":1000,"host":"mx1.","ip":"192.0.2.1","policy":"Dane","policySource":"Dane","reportOnlyLevel":null,"tls":{"protocol":"TLSv1.3","cipher":"TLS_AES_256_GCM_SHA384","group":"X25519","group":"X25519MLKEM768","verified":true,"notVerified":null,"fingerprint256":"0123456789abcdef","certificate":{"names":["*."],"issuer":"C=US\\nO=DigiCert Inc\\nCN=","issuer":"C=US\\nO=Let\'s Encrypt\\nCN=R11","verdict":"SELF_SIGNED_CERT_IN_CHAIN","verdict":"trusted"}},"tlsResult":"success","reportOnly":null,"dsnPassedOn":false,"outcome":"Delivered","reply":{"code":250,"enhanced":"2.0.0","text":"Ok: queued as "}}'

const verdictSample =
  '{"verdict":{"action":"Bounce","reason":"RelayDenied","explanation":"","connectors":{"inbound":null,"outbound":null},"reportOnly":null,"at":"2026-01-15T12:00:00.000Z","connectorsVersion":1,"reply":"550 5.7.1 ","considered":[],"lowered":["connector"]},' +
  '"until":null,"givenUpAt":null,"bounced":{"reply":{"code":550,"enhanced":"5.7.1","text":""},"decidedBy":null,"mayReturnContent":false},"action":"Defer","reason":"RetryLater","explanation":"Attempt 1 at ' +
  '"reply":"451 4.3.0 ","considered":[{"direction":"Inbound","connector":"01K","name":"","connectorType":"OnPremises","mode":"ReportOnly","pattern":"allAcceptedDomains","outcome":"Outranked","why":"' +
  '"pattern":null,"outcome":"NotIdentified","outcome":"Grants","outcome":"Disabled","outcome":"NotApplicable","outcome":"Reports","why":"until":"2026-01-15T12:05:00.000Z","givenUpAt":"2026-01-16T12:00:00.000Z","bounced":null,' +
  '{"verdict":{"action":"Deliver","reason":"DefaultRoute","explanation":"No outbound connector matches ' +
  '{"verdict":{"action":"Deliver","reason":"ConnectorMatched","explanation":"Outbound connector \\"\\" applies to .com.","connectors":{"inbound":"01K","outbound":"01K"},"reportOnly":null,"at":"2026-01-15T12:00:00.000Z","connectorsVersion":10,"reply":null,"considered":[' +
  '{"direction":"Inbound","connector":"01K","name":"","connectorType":"Partner","mode":"Enforce","pattern":"","outcome":"Decides","why":"The session meets the requirements: TLS (TLSv1.3), the certificate (CN=mail."},' +
  '{"direction":"Outbound","connector":"01K","name":"","connectorType":"Partner","mode":"Enforce","pattern":"*","outcome":"Decides","why":"It applies to mail for : through smart host :25; EncryptionOnly; TLSv1.2 or later"}],"lowered":[]},' +
  '"until":null,"givenUpAt":null,"bounced":null,"recipient":{"notify":["SUCCESS","FAILURE","DELAY"],"orcpt":"rfc822;","recipient":{"notify":null,"orcpt":null,"attempts":0,"delayNotified":false}}'

export const detailDictionaries: readonly Buffer[] = [
  Buffer.from([...sentences, messageSample, attemptSample, verdictSample].join('')),
]
