/** The conformance of a domain by standard: levels, counts, the filter, CSV. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  byStandard,
  type Criterion,
  conformanceCsv,
  countCriteria,
  shownRows,
} from '../../../../../../functions/console/app/screens/conformance/conformance-texts.ts'

const criterion = (changes: Partial<Criterion>): Criterion => ({
  id: 'tls13',
  subject: 'Host',
  host: 'mx.ours.example',
  requirement: 'TLS 1.3 is offered',
  references: [],
  verdict: 'PASS',
  seen: 'TLSv1.3',
  advice: null,
  source: 'Handshakes',
  ...changes,
})

const criteria: Criterion[] = [
  criterion({
    references: [
      { standard: 'SP 800-52r2', clause: '§3.1', level: 'must' },
      { standard: 'TR-03116-4', clause: 'profile TLS_1.3', level: 'should' },
    ],
    verdict: 'FAIL',
    advice: 'Enable it',
  }),
  criterion({
    id: 'mta-sts',
    subject: 'Domain',
    host: null,
    references: [{ standard: 'RFC 8461', clause: '§3', level: 'optional' }],
    verdict: 'WARN',
    seen: '=no policy, "testing"',
    source: 'Dns',
  }),
  criterion({
    id: 'rpki',
    subject: 'Domain',
    host: null,
    references: [{ standard: 'internet.nl 1.11', clause: 'RPKI', level: 'must' }],
    verdict: 'CUSTOMER',
    source: 'None',
  }),
]

const groupOf = (name: string) => {
  const group = byStandard({ criteria }).find(({ names }) => names.some((each) => each === name))
  assert.ok(group)
  return group
}

describe('conformance by standard', () => {
  test('a criterion that is not met counts in each standard by its level there', () => {
    assert.equal(groupOf('SP 800-52r2').counts.NotMet, 1)
    const bsi = groupOf('TR-03116-4')
    assert.deepEqual([bsi.counts.NotMet, bsi.counts.RecommendationNotMet], [0, 1])
    assert.equal(bsi.rows[0]?.clauses, 'profile TLS_1.3: should')
    assert.equal(groupOf('RFC 8461').counts.RecommendationNotMet, 1)
    assert.equal(groupOf('internet.nl 1.11').counts.Yours, 1)
  })

  test('with two references to one standard the stricter level applies', () => {
    const [group] = byStandard({
      criteria: [
        criterion({
          verdict: 'FAIL',
          references: [
            { standard: 'internet.nl 1.11', clause: 'ciphers', level: 'should' },
            { standard: 'internet.nl 1.11', clause: 'cipher order', level: 'must' },
          ],
        }),
      ],
    })
    assert.deepEqual([group?.rows.length, group?.counts.NotMet], [1, 1])
    assert.equal(group?.rows[0]?.clauses, 'ciphers: should; cipher order: must')
  })

  test('over all standards a criterion counts once', () => {
    const { NotMet, RecommendationNotMet, Yours, Met } = countCriteria({ criteria })
    assert.deepEqual([NotMet, RecommendationNotMet, Yours, Met], [1, 1, 1, 0])
  })

  test('the filter keeps only what is not met', () => {
    assert.equal(shownRows(groupOf('internet.nl 1.11').rows, true).length, 0)
    assert.equal(shownRows(groupOf('internet.nl 1.11').rows, false).length, 1)
    assert.equal(shownRows(groupOf('RFC 8461').rows, true).length, 1)
  })

  test('the CSV has a line for each standard of each criterion, without formulas', () => {
    const at = '2026-02-03T12:00:00.000Z'
    const result = {
      domain: 'ours.example',
      checkedAt: at,
      softwareVersion: '0.2.0',
      hosts: [],
      detail: null,
    }
    const lines = conformanceCsv([{ ...result, criteria }])
      .trimEnd()
      .split('\r\n')
    assert.equal(lines.length, 5)
    assert.match(lines[0] ?? '', /^Domain,Checked,Standard,Clause,/)
    const policy = lines.find((line) => line.includes('RFC 8461'))
    assert.ok(policy?.includes(`"'=no policy, ""testing"""`), policy)
    assert.ok(policy?.includes('Recommendation not met'))
  })
})
