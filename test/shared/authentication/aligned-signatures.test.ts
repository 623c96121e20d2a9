import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { verifyAlignedSignatures } from '../../../shared/authentication/aligned-signatures.ts'
import type { Resolver } from '../../../shared/net/resolver.ts'
import { fakeResolver, silentResolver, type Zone } from '../../support/dns.ts'
import { newSigningKey, signMail } from '../../support/signed-mail.ts'

const key = newSigningKey('ed25519')
const txt = {
  's._domainkey.p.example': [key.record],
  's._domainkey.m.p.example': [key.record],
  's._domainkey.q.example': [key.record],
  '_dmarc.p.example': ['v=DMARC1; p=none'],
}
const mailFrom = (from: string): Buffer => Buffer.from(`From: ${from}\r\n\r\nHello\r\n`)
const plain = mailFrom('a@p.example')
const sign = (domain: string, content = plain) => signMail(content, key, domain, 's')
const verify = (content: Buffer, resolver: Resolver, signal = new AbortController().signal) =>
  verifyAlignedSignatures(content, resolver, { at: new Date('2026-11-30T12:00:00Z'), signal })

describe('aligned signatures', async () => {
  for (const [title, content, zone, domains, isTemporary] of [
    ['of the same domain', await sign('p.example'), { txt }, ['p.example'], false],
    ['of a subdomain, with a record', await sign('m.p.example'), { txt }, ['m.p.example'], false],
    ['of one domain twice', await sign('p.example', await sign('p.example')), { txt }, ['p.example'], false],
    [
      'of two domains',
      await sign('m.p.example', await sign('p.example')),
      { txt },
      ['m.p.example', 'p.example'],
      false,
    ],
    ['not of another domain', await sign('q.example'), { txt }, [], false],
    ['not without signature', plain, { txt }, [], false],
    [
      'not of an altered message',
      Buffer.concat([await sign('p.example'), Buffer.from('x')]),
      { txt },
      [],
      false,
    ],
    [
      'not with two addresses of different domains',
      await sign('p.example', mailFrom('a@p.example, b@q.example')),
      { txt },
      [],
      false,
    ],
    [
      'not with two From fields',
      await sign('p.example', Buffer.concat([Buffer.from('From: b@p.example\r\n'), plain])),
      { txt },
      [],
      false,
    ],
    [
      'not with a From field that only some read',
      await sign('p.example', Buffer.concat([Buffer.from('\x01From: b@q.example\r\n'), plain])),
      { txt },
      [],
      false,
    ],
    [
      'unknown if the key cannot be queried',
      await sign('p.example'),
      { txt, fail: { 's._domainkey.p.example': 'ESERVFAIL' } },
      [],
      true,
    ],
    [
      'known beside one that cannot',
      await sign('m.p.example', await sign('p.example')),
      { txt, fail: { 's._domainkey.m.p.example': 'ESERVFAIL' } },
      ['p.example'],
      true,
    ],
    [
      'unknown if the organizational domain is',
      await sign('m.p.example'),
      { txt, fail: { '_dmarc.example': 'ESERVFAIL' } },
      [],
      true,
    ],
  ] as [string, Buffer, Zone, string[], boolean][])
    it(title, async () =>
      assert.deepEqual(await verify(content, fakeResolver(zone)), { domains, isTemporary }),
    )

  it('unknown when the time is over', async () =>
    assert.deepEqual(await verify(await sign('p.example'), silentResolver, AbortSignal.abort()), {
      domains: [],
      isTemporary: true,
    }))
})
