/** What saving changes, the stage, the dry run, and the faults that the API finds. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { DryRun } from '../../../../../../functions/console/app/api/types.ts'
import { faultsByField } from '../../../../../../functions/console/app/screens/wizard/api-faults.ts'
import {
  createdFields,
  effectsOfDraft,
  fieldChanges,
  notValidatedText,
  patchOf,
  unknownEffectText,
} from '../../../../../../functions/console/app/screens/wizard/difference.ts'
import {
  bodyOf,
  newDraft,
  shownFields,
} from '../../../../../../functions/console/app/screens/wizard/draft.ts'
import {
  dryRunInput,
  dryRunSummary,
  outcomeDetails,
} from '../../../../../../functions/console/app/screens/wizard/dry-run-request.ts'
import { inboundOf, outboundOf } from '../partners/connectors.ts'

describe('the difference', () => {
  test('of an edit has the changed fields only, and so has the request', () => {
    const before = shownFields('inbound', { ...inboundOf() })
    const after = { ...before, comment: 'agreed', senderDomains: ['bank.example', 'b.example'] }
    assert.deepEqual(
      fieldChanges(before, after).map(({ field }) => field),
      ['comment', 'senderDomains'],
    )
    assert.deepEqual(patchOf(before, after), {
      comment: 'agreed',
      senderDomains: ['bank.example', 'b.example'],
    })
    assert.deepEqual(effectsOfDraft('inbound', before, after), [
      'Mail from bank.example, b.example without TLS is refused.',
    ])
  })

  test('without a sentence says what is known of the effect', () => {
    const change = (field: string) => [{ field, from: null, to: 'x' }]
    const rows: [field: string, after: object, text: RegExp][] = [
      ['comment', {}, /^None\.$/],
      ['messageRateLimit', {}, /^It depends on the servers and the mail/],
      ['messageRateLimit', { enabled: false }, /^It is disabled/],
      ['revocationCheck', { mode: 'ReportOnly' }, /^It is report only/],
      ['messageRateLimit', { mode: 'ReportOnly', connectorType: 'OnPremises' }, /^It depends/],
    ]
    for (const [field, fields, text] of rows)
      assert.match(unknownEffectText(change(field), { ...inboundOf(), ...fields }), text)
  })

  test('of a new connector has what is not the default, and what a reader must see', () => {
    const body = bodyOf(newDraft({ direction: 'outbound', domains: ['bank.example'], defaultRoute: 'Mx' }))
    assert.deepEqual(
      createdFields('outbound', body).map(({ field }) => field),
      ['connectorType', 'name', 'enabled', 'mode', 'recipientDomains', 'route', 'tlsSettings'],
    )
    assert.match(effectsOfDraft('outbound', null, body).join(), /is sent through this connector/)
  })
})

test('an outbound connector that is enforced and was never validated is pointed out', () => {
  const textOf = (fields: Parameters<typeof outboundOf>[0], base: ReturnType<typeof outboundOf> | null) =>
    notValidatedText('outbound', base, { ...outboundOf(fields) })
  assert.match(textOf({}, null) ?? '', /mail is deferred, and bounces when it expires/)
  assert.match(textOf({ onTlsFailure: 'Bounce' }, outboundOf()) ?? '', /mail bounces at the first attempt/)
  assert.equal(textOf({ mode: 'ReportOnly' }, null), null)
  assert.equal(textOf({ tlsSettings: null }, null), null)
  assert.equal(textOf({}, outboundOf({ validation: {} as never })), null)
  assert.equal(notValidatedText('inbound', null, { ...inboundOf() }), null)
})

describe('the dry run', () => {
  const body = shownFields('inbound', { ...inboundOf({ mode: 'ReportOnly' }) })
  const request = { direction: 'inbound', base: null, body, isEnforced: false } as const

  test('of a renamed connector replaces the one of the earlier name', () => {
    const base = inboundOf({ name: 'Earlier' })
    assert.deepEqual(dryRunInput({ ...request, base }), { inboundConnectors: [body], deleted: [base.id] })
    assert.deepEqual(dryRunInput({ ...request, base: inboundOf() }), { inboundConnectors: [body] })
  })

  test('tries a connector as enforced, with the fields of a newer API', () => {
    const base = { ...inboundOf(), greylisting: true }
    assert.deepEqual(dryRunInput({ ...request, base, isEnforced: true }), {
      inboundConnectors: [{ greylisting: true, ...body, enabled: true, mode: 'Enforce' }],
    })
  })

  test('says plainly that there was no mail', () => {
    const result = { considered: 0, same: 0, different: [], undetermined: [] }
    assert.match(dryRunSummary(result as unknown as DryRun), /^No mail of these days/)
  })

  test('counts what is decided otherwise, and what cannot be told apart from it', () => {
    const result = { considered: 6, same: 1, different: [{ count: 2 }], undetermined: [{ count: 3 }] }
    assert.equal(
      dryRunSummary(result as unknown as DryRun),
      '6 recipients and refusals: 1 decided the same, 2 otherwise, 3 cannot be told.',
    )
    assert.equal(
      outcomeDetails({
        outcome: 'Held',
        reason: 'InboundTlsRequired',
        connector: 'From the bank',
        level: null,
        tlsResult: null,
      }),
      'InboundTlsRequired, “From the bank”',
    )
  })
})

test('faults of the API stand at their fields, with the entry of a list', () => {
  const body = { senderDomains: ['a.example', 'b.example'], smartHosts: [{}], name: '' }
  assert.deepEqual(
    faultsByField(
      [
        { path: 'name', message: 'is taken' },
        { path: 'inboundConnectors[0].senderDomains[1]', message: 'is listed twice' },
        { path: 'smartHosts[0].port', message: 'must be at most 65535' },
        { path: 'from', message: 'must be earlier than to' },
      ],
      body,
    ),
    {
      name: ['is taken'],
      senderDomains: ['b.example: is listed twice'],
      smartHosts: ['entry 1.port: must be at most 65535'],
      '': ['from must be earlier than to'],
    },
  )
})
