/**
 * Every server finds one message in the transmitted data, also a server that ends lines at a bare CR or LF
 * (CVE-2023-51764, CVE-2023-51765, CVE-2023-51766). The ingress refuses such octets; this is the second defence.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deliverOverSmtp } from '../../../shared/net/smtp-delivery.ts'
import { message, recipient } from '../../support/fixtures.ts'
import { smtpOptions } from '../../support/smtp-options.ts'
import { startPartner } from '../../support/smtp-partner.ts'

const smuggled = 'MAIL FROM:<admin@partner.example>\r\nRCPT TO:<victim@partner.example>\r\nDATA\r\nevil'

const endings = [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '\r.\r\n',
  '\r\n.\r',
  '\n.\r',
  '\r.\n',
  '\r\n.\r\n',
  '\r\n.\r.\r\n',
  '\r\r\n.\r\r\n',
  '\n\n.\n\n',
  '\r\n..\r\n.\r\n',
  '\n\r.\n\r',
]

const visible = (octets: string): string => JSON.stringify(octets).slice(1, -1)

for (const ending of endings)
  for (const content of [
    `Subject: x\r\n\r\ntext${ending}${smuggled}${ending}more`,
    `${ending.replace(/^\s+/, '')}${smuggled}`,
  ])
    test(`no server finds a second message after "${visible(ending)}" in a message that begins "${visible(content.slice(0, 12))}…"`, async () => {
      const wire = await sent(Buffer.from(content))
      const data = wire.slice(wire.indexOf('DATA\r\n') + 'DATA\r\n'.length)
      const lines = data.split(/\r\n|\r|\n/)
      const end = lines.indexOf('.')
      assert.ok(end >= 0, 'the message ends')
      assert.equal(lines.lastIndexOf('.'), end, 'and it ends once')
      assert.match(lines.slice(end + 1).join('|'), /^(QUIT\|)?$/, 'only QUIT follows its end')
      assert.doesNotMatch(data, /\r(?!\n)|(?<!\r)\n/, 'every line ends in CRLF')
    })

async function sent(content: Buffer): Promise<string> {
  const partner = await startPartner()
  const hosts = [{ host: 'mx.partner.example', port: partner.port }]
  try {
    const outcomes = await deliverOverSmtp(
      { kind: 'SmartHosts', hosts },
      {
        message: message(),
        recipients: [recipient({ address: 'b@partner.example' })],
        content,
        tls: {
          level: 'Opportunistic',
          mode: 'Enforce',
          tlsDomain: null,
          certificateAuthorities: [],
          minimumTlsVersion: 'TLSv1.2',
          revocationCheck: 'None',
          smtpDaneMode: 'None',
          mtaStsMode: 'None',
          clientCertificate: null,
        },
      },
      smtpOptions(),
    )
    assert.equal([...outcomes.values()].length, 1)
    assert.equal(partner.received.length, 1)
    return partner.wire().toString('latin1')
  } finally {
    await partner.stop()
  }
}
