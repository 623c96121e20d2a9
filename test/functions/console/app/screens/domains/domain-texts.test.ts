/** What changes of accepted domains do to mail, in sentences, and the texts of lists. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AcceptedDomain } from '../../../../../../functions/console/app/api/types.ts'
import {
  addEffects,
  domainFault,
  filterDomains,
  modeEffects,
  modeText,
  readAddresses,
  removeEffects,
} from '../../../../../../functions/console/app/screens/domains/domain-texts.ts'

const at = '2026-02-03T12:00:00.000Z'
const domain = (changes: Partial<AcceptedDomain> = {}): AcceptedDomain => ({
  domain: 'ours.example',
  recipients: 'Any',
  comment: '',
  createdAt: at,
  updatedAt: at,
  version: 1,
  ...changes,
})
const recipientList = { version: '01M8RGD92601JW6TGP5MTVASXG', addresses: 1200, updatedAt: at }

describe('texts about accepted domains', () => {
  test('say what is wrong with a name', () => {
    assert.equal(domainFault('bücher.example'), null)
    assert.match(domainFault('') ?? '', /^Give a domain/)
    assert.match(domainFault('*.ours.example') ?? '', /^Wildcards/)
    assert.match(domainFault('new..ours.example') ?? '', /two dots in a row/)
    assert.match(domainFault('ann@ours.example') ?? '', /is not a domain name/)
  })

  test('a removal names the reply, the mail that waits and the list', () => {
    const effects = removeEffects(domain({ recipientList })).join(' ')
    for (const part of ['550 5.7.64 Relay access denied', 'bounces at its next decision', '1200 addresses'])
      assert.ok(effects.includes(part), effects)
    assert.ok(!removeEffects(domain()).join(' ').includes('list'))
  })

  test('an unchanged mode has no effect, and each other mode has one', () => {
    assert.deepEqual(modeEffects(domain(), 'Any'), [])
    assert.match(
      modeEffects(domain({ recipientList }), 'List').join(),
      /1,200 addresses of the list: 550 5\.1\.1/,
    )
    assert.match(modeEffects(domain(), 'SmtpCallout').join(), /your mailbox server refuses: 550 5\.1\.1/)
    assert.match(modeEffects(domain({ recipients: 'List' }), 'Any').join(), /accepts mail for every address/)
  })

  test('a new domain needs MX records and a route', () => {
    assert.match(
      addEffects('new.example').join(' '),
      /accepts mail for new\.example.*MX records.*outbound connector/,
    )
  })

  test('the mode of a list has the number of its addresses', () => {
    assert.equal(modeText(domain()), 'Any')
    assert.equal(modeText(domain({ recipients: 'List', recipientList })), 'List: 1,200 addresses')
    const one = { ...recipientList, addresses: 1 }
    assert.equal(modeText(domain({ recipients: 'List', recipientList: one })), 'List: 1 address')
  })

  test('addresses are separated by lines, commas, semicolons or spaces, and each is read once', () => {
    assert.deepEqual(readAddresses(' ann@ours.example,\nben; ann@ours.example\t carl\r\n'), [
      'ann@ours.example',
      'ben',
      'carl',
    ])
    assert.deepEqual(readAddresses(' \n '), [])
  })

  test('the filter finds a part of the name, the comment or the mode, in any letter case', () => {
    const domains = [
      domain(),
      domain({ domain: 'second.example', comment: 'Bought in 2025', recipients: 'SmtpCallout' }),
    ]
    const found = (q: string) => filterDomains(domains, q).map((each) => each.domain)
    assert.deepEqual(found(''), ['ours.example', 'second.example'])
    assert.deepEqual(found('BOUGHT'), ['second.example'])
    assert.deepEqual(found('callout'), ['second.example'])
    assert.deepEqual(found('ours'), ['ours.example'])
    assert.deepEqual(found('absent'), [])
  })
})
