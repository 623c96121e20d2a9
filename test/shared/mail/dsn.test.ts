import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BounceJob } from '../../../shared/contract/jobs.ts'
import { buildDsn, dsnId } from '../../../shared/mail/dsn.ts'
import { attempt, message, minutesLater, recipient } from '../../support/fixtures.ts'

const headers = 'From: a@ours.example\r\nSubject: Gr\u00fc\u00dfe\r\n'

const failed: BounceJob = {
  message: message({ mailFrom: 'a@ours.example' }),
  kind: 'failed',
  at: minutesLater(1440).toISOString(),
  recipients: [
    {
      recipient: recipient({
        address: 'b@northwind.example',
        lastAttempt: attempt({ outcome: 'TlsNotMet' }),
        orcpt: 'rfc822;b@northwind.example',
      }),
      reply: { code: 550, enhanced: '5.7.321', text: 'STARTTLS not offered' },
      explanation: 'Attempt 97 at mx.northwind.example ended with 451 4.7.321 STARTTLS not offered.',
      connector: 'Northwind',
      willRetryUntil: null,
    },
  ],
}

test('a failed DSN says what happened, who can mend it and which connector decided, then the same for machines', async () => {
  const { id, octets } = await buildDsn(failed, 'mx.ours.example', headers)
  const boundary = `--_NmP-${id}-Part_1`
  assert.equal(
    octets.toString('latin1'),
    [
      'From: Mail Delivery System <postmaster@mx.ours.example>',
      'To: a@ours.example',
      'Subject: Undelivered mail returned to sender',
      'Date: Fri, 16 Jan 2026 12:00:00 +0000',
      `Message-ID: <${id}@mx.ours.example>`,
      'Auto-Submitted: auto-replied',
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type=delivery-status;',
      ` boundary="${boundary}"`,
      '',
      `--${boundary}`,
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'This is the mail system at mx.ours.example.',
      '',
      'Your message could not be delivered to the recipients below. It will not be=',
      ' tried again.',
      'It was received at 2026-01-15T12:00:00.000Z and is known here as =',
      '01KF0CVZT0ABCDEFGHJKMNPQRS.',
      '',
      '<b@northwind.example>',
      '  550 5.7.321 STARTTLS not offered',
      '  Attempt 97 at mx.northwind.example ended with 451 4.7.321 STARTTLS not =',
      'offered.',
      '  The rule that decided is connector "Northwind"; its administrator can say=',
      ' more.',
      '  The encryption agreed with this partner could not be established. The =',
      "partner's mail administrator can mend it; resend afterwards.",
      '',
      `--${boundary}`,
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; mx.ours.example',
      'Received-From-MTA: dns; client.example (192.0.2.1)',
      'Arrival-Date: Thu, 15 Jan 2026 12:00:00 +0000',
      '',
      'Original-Recipient: rfc822;b@northwind.example',
      'Final-Recipient: rfc822; b@northwind.example',
      'Action: failed',
      'Status: 5.7.321',
      'Remote-MTA: dns; mx.northwind.example',
      'Diagnostic-Code: smtp; 550 5.7.321 STARTTLS not offered',
      'Last-Attempt-Date: Thu, 15 Jan 2026 12:00:00 +0000',
      '',
      `--${boundary}`,
      'Content-Type: text/rfc822-headers',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'From: a@ours.example',
      'Subject: Gr=C3=BC=C3=9Fe',
      '',
      `--${boundary}--`,
      '',
    ].join('\r\n'),
  )
})

test('a delayed DSN says what it waits for, by which connector and until when', async () => {
  const until = minutesLater(1440).toISOString()
  const job: BounceJob = {
    ...failed,
    kind: 'delayed',
    recipients: failed.recipients.map((reported) => ({ ...reported, willRetryUntil: until })),
  }
  const text = (await buildDsn(job, 'mx.ours.example', headers)).octets.toString('latin1')
  assert.match(text, /\r\nAction: delayed\r\n/)
  assert.match(text, /\r\nWill-Retry-Until: Fri, 16 Jan 2026 12:00:00 \+0000\r\n/)
  const human = text.replaceAll('=\r\n', '')
  assert.match(
    human,
    /\r\n {2}Attempt 97 at mx\.northwind\.example ended with 451 4\.7\.321 STARTTLS not offered\.\r\n/,
  )
  assert.match(human, /\r\n {2}The rule that decided is connector "Northwind"; /)
  assert.match(human, /\r\n {2}It will be tried until 2026-01-16T12:00:00\.000Z\.\r\n/)
})

test('nothing a peer said can add a field or a part', async () => {
  const evil = 'x\r\nAction: delivered\r\n\r\n--boundary'
  const [reported] = failed.recipients
  assert.ok(reported)
  const job: BounceJob = {
    ...failed,
    message: message({ mailFrom: 'a@ours.example', source: { ip: '192.0.2.1', port: 1, helo: evil } }),
    recipients: [
      {
        ...reported,
        reply: { ...reported.reply, text: evil },
        recipient: { ...reported.recipient, lastAttempt: attempt({ host: evil }) },
      },
    ],
  }
  const text = (await buildDsn(job, 'mx.ours.example', '')).octets.toString('latin1')
  const machine = text.slice(text.indexOf('Reporting-MTA'), text.indexOf('text/rfc822-headers'))
  assert.deepEqual(machine.match(/^Action: .*$/gm), ['Action: failed'])
})

test('an internationalised address is written in ASCII', async () => {
  const job = {
    ...failed,
    recipients: failed.recipients.map((reported) => ({
      ...reported,
      recipient: recipient({ address: 'jos\u00e9@northwind.example' }),
    })),
  }
  const text = (await buildDsn(job, 'mx.ours.example', '')).octets.toString('latin1')
  assert.match(text, /\r\nFinal-Recipient: utf-8; jos\\x\{E9\}@northwind\.example\r\n/)
})

test('the same report is the same DSN, another kind or recipient is another', () => {
  const id = dsnId(failed)
  assert.match(id, /^01KF0CVZT0[0-9A-HJKMNP-TV-Z]{16}$/)
  assert.equal(dsnId({ ...failed, at: minutesLater(1500).toISOString() }), id)
  assert.notEqual(dsnId({ ...failed, kind: 'delayed' }), id)
  assert.notEqual(
    dsnId({
      ...failed,
      recipients: failed.recipients.map((reported) => ({ ...reported, recipient: recipient() })),
    }),
    id,
  )
})
