/** Signed messages: an example of an RFC, and messages that tests sign with keys of their own. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { dkimSign } from 'mailauth/lib/dkim/sign.js'

const crlf = (text: string): Buffer => Buffer.from(text.replaceAll('\n', '\r\n'))

/** RFC 8463 appendix A.3: one message with a signature of each algorithm. */
export const rfc8463Message = crlf(`DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
`)

/** RFC 8463 appendix A.2. */
export const rfc8463Keys: Record<string, string> = {
  'brisbane._domainkey.football.example.com':
    'v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=',
  'test._domainkey.football.example.com':
    'v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB',
}

export interface SigningKey {
  /** PEM. */
  privateKey: string
  /** The text of its TXT record. */
  record: string
}

export function newSigningKey(type: 'rsa' | 'ed25519', modulusLength = 2048): SigningKey {
  const { publicKey, privateKey } =
    type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength }) : generateKeyPairSync('ed25519')
  const der = (publicKey as KeyObject).export({ type: 'spki', format: 'der' })
  const octets = type === 'rsa' ? der : der.subarray(-32)
  return {
    privateKey: (privateKey as KeyObject).export({ type: 'pkcs8', format: 'pem' }).toString(),
    record: `v=DKIM1; k=${type}; p=${octets.toString('base64')}`,
  }
}

export interface SignatureOptions {
  canonicalization?: string
  /** The tag l=. */
  maxBodyLength?: number
  signTime?: Date
  /** The tag x=. */
  expires?: Date
}

/** @returns the message with a signature before it */
export async function signMail(
  message: Buffer,
  { privateKey }: SigningKey,
  domain: string,
  selector: string,
  options: SignatureOptions = {},
): Promise<Buffer> {
  const signer = { signingDomain: domain, selector, privateKey, ...options }
  const { signatures } = await dkimSign(message, { ...signer, signatureData: [signer] })
  return Buffer.concat([Buffer.from(signatures), message])
}
