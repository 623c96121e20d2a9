/** Callouts to Postfix as the mailbox server, in the configurations that its administrator may choose. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkRecipient } from '../../functions/check-recipient/check-recipient.ts'
import { compileSnapshot } from '../../shared/policy/snapshot.ts'
import { outbound } from '../support/fixtures.ts'
import { missing, Postfix } from '../support/peers/peers.ts'
import { smtpOptions } from '../support/smtp-options.ts'

const skip = missing('postfix', 'apt-get install postfix', true)
const domain = 'partner.example'
const mailboxes = `inline:{bob@${domain}=all/}`

/** `gone@` has no mailbox, except where Postfix accepts every recipient. */
const rows: [title: string, settings: Record<string, string>, bob: string, gone: string][] = [
  ['that knows its mailboxes', { virtual_mailbox_maps: mailboxes }, 'Exists', 'Unknown'],
  ['that accepts every recipient', {}, 'Exists', 'Exists'],
  [
    'that replies 450 to unknown recipients',
    { virtual_mailbox_maps: mailboxes, unknown_virtual_mailbox_reject_code: '450' },
    'Exists',
    'Undetermined',
  ],
  [
    'that refuses the client',
    {
      virtual_mailbox_maps: mailboxes,
      smtpd_delay_reject: 'yes',
      smtpd_client_restrictions: 'check_client_access static:REJECT',
    },
    'Undetermined',
    'Undetermined',
  ],
  [
    'that refuses the null reverse path',
    {
      virtual_mailbox_maps: mailboxes,
      smtpd_delay_reject: 'no',
      smtpd_null_access_lookup_key: '<>',
      smtpd_sender_restrictions: 'check_sender_access inline:{{<>=REJECT}}',
    },
    'Undetermined',
    'Undetermined',
  ],
]
describe('a callout to Postfix', { skip, timeout: 120_000, concurrency: true }, () => {
  for (const [title, settings, bob, gone] of rows)
    it(`${title} finds ${bob} and ${gone}, and leaves no message`, async () => {
      const postfix = await Postfix.start({ domain, settings })
      const connector = outbound({
        connectorType: 'OnPremises',
        recipientDomains: [domain],
        route: 'SmartHosts',
        smartHosts: [{ host: 'mx.partner.example', port: postfix.port }],
        tlsSettings: null,
        tlsDomain: null,
        revocationCheck: 'None',
      })
      const snapshot = compileSnapshot({
        version: 1,
        inbound: [],
        outbound: [connector],
        acceptedDomains: [{ domain, recipients: 'SmtpCallout' }],
      })
      try {
        for (const [name, expected] of [
          ['bob', bob],
          ['gone', gone],
        ] as const) {
          const { result, detail } = await checkRecipient(`${name}@${domain}`, snapshot, smtpOptions())
          assert.equal(result, expected, detail)
        }
        await postfix.logged(/disconnect from .* commands=/)
        assert.deepEqual(postfix.mailbox(), [])
      } finally {
        await postfix.stop()
      }
    })
})
