import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { basicEnvelope, newRecipient, noTls } from '../../shared/contract/message.ts'
import { compareWithStorage } from './compare.ts'
import { type Ending, Ledger, reversePath } from './ledger.ts'
import { type Confirmation, StoredData } from './stored-data.ts'

const sent = Buffer.from('Subject: x\r\n\r\ntext\r\n')
const ids = ['01M88EV8ZZXD71ZM11XA5TFVP7', '01M88EV8ZZ4HB43JYRAAEK1W96'] as const

interface Stored {
  id?: string
  tryNumber?: number
  confirmation?: Confirmation
  text?: string
  trace?: string
  /** The job's content is not stored. */
  isMissing?: boolean
  /** The job came before the ingress could know that its content is stored. */
  isEarly?: boolean
}

/** Compares the tries to send one message with the jobs that were stored from them. */
function verdict(endings: readonly Ending[], stored: readonly Stored[], kills: readonly number[] = []) {
  const ledger = new Ledger()
  const storedData = new StoredData()
  ledger.tries.set(
    0,
    endings.map((ending, index) => ({ began: 10_000 * index, ended: 10_000 * index + 5000, ending })),
  )
  for (const {
    id = ids[0],
    tryNumber = 0,
    confirmation = 'Taken',
    text = sent.toString(),
    ...rest
  } of stored) {
    const trace = rest.trace ?? `Received: from a\r\n\tby b id ${id};\r\n\tnow\r\n`
    const octets = Buffer.from(trace + text)
    const key = `segments/${storedData.jobs.length}`
    if (!rest.isMissing) storedData.put(`content/${key}`, octets)
    if (!rest.isEarly) storedData.acknowledge(`content/${key}`)
    const message = {
      id,
      receivedAt: '2026-01-01T00:00:00.000Z',
      source: null,
      direction: 'Incoming',
      attributedTo: null,
      tls: noTls,
      envelope: basicEnvelope(reversePath(0, tryNumber)),
      size: octets.length,
      content: { bucket: 'content', key, offset: 0, length: octets.length, sha256: hash('sha256', octets) },
    }
    const recipients = [newRecipient('b@ours.example')]
    storedData.take(JSON.stringify({ message, recipients, notBefore: null })).confirmation = confirmation
  }
  return compareWithStorage({ messages: 1, ledger, storedData, kills, contentOf: () => sent })
}

const accepted: Ending = { kind: 'Accepted', id: ids[0] }
const acceptedLater: Ending = { kind: 'Accepted', id: ids[1] }
const deferred: Ending = { kind: 'Deferred', reply: '451 4.3.0 x' }
const closed: Ending = { kind: 'Closed' }
const lost: Confirmation = { fault: 'AnswerLost' }
const later: Stored = { id: ids[1], tryNumber: 1 }

const cases: [name: string, endings: Ending[], stored: Stored[], finding: RegExp | null, kills?: number[]][] =
  [
    ['that is accepted and stored once', [accepted], [{}], null],
    [
      'whose job was sent again after a lost response of the queue',
      [accepted],
      [{ confirmation: lost }, {}],
      null,
    ],
    [
      'that was deferred after a lost response of the queue, and accepted at the next try',
      [deferred, acceptedLater],
      [{ confirmation: lost }, later],
      null,
    ],
    [
      'whose ingress was killed after it stored the job, before the reply',
      [closed, acceptedLater],
      [{}, later],
      null,
      [3000],
    ],
    [
      'whose ingress was killed before the response of the queue',
      [closed, acceptedLater],
      [{ confirmation: 'Pending' }, later],
      null,
      [3000],
    ],
    ['that is never accepted', [deferred], [], /accepted 0 times/],
    ['that is accepted twice', [accepted, acceptedLater], [{}, later], /accepted 2 times/],
    ['that was refused permanently', [{ kind: 'Refused', reply: '550' }, acceptedLater], [later], /550/],
    ['that got no reply', [{ kind: 'Silent' }, acceptedLater], [later], /Silent/],
    ['that is accepted and has no job', [accepted], [], /no such job/],
    ['whose reply has another id than its job', [accepted], [{ id: ids[1] }], /no such job/],
    [
      'that is accepted before the queue confirmed its job',
      [accepted],
      [{ confirmation: lost }],
      /without a confirmation/,
    ],
    ['with two jobs and no fault that explains them', [accepted], [{}, {}], /without a cause/],
    [
      'with a job of a deferred try and no fault that explains it',
      [deferred, acceptedLater],
      [{}, later],
      /without a cause/,
    ],
    [
      'with a job of a deferred try, when the kill was later than that try',
      [deferred, acceptedLater],
      [{}, later],
      /without a cause/,
      [7000],
    ],
    [
      'whose connection was closed before the kill',
      [closed, acceptedLater],
      [later],
      /no process had been killed/,
      [7000],
    ],
    ['whose content is not stored', [accepted], [{ isMissing: true }], /no object/],
    [
      'whose job came before its content was stored',
      [accepted],
      [{ isEarly: true }],
      /before its content was known/,
    ],
    ['whose content has an extra octet', [accepted], [{ text: `${sent}x` }], /differs from the sent content/],
    [
      'whose content lacks an octet',
      [accepted],
      [{ text: sent.toString().slice(1) }],
      /differs from the sent content|before its content/,
    ],
    ['whose content has no Received field before it', [accepted], [{ trace: '' }], /before its content/],
    [
      'whose content has more than the Received field before it',
      [accepted],
      [{ trace: `Received: a id ${ids[0]}\r\nX: y\r\n` }],
      /before its content/,
    ],
  ]

for (const [name, endings, stored, finding, kills = []] of cases)
  test(`compareWithStorage has ${finding === null ? 'no finding' : `the finding ${finding}`} for a message ${name}`, () => {
    const { findings, duplicates } = verdict(endings, stored, kills)
    if (finding !== null) return assert.match(findings.join('\n'), finding)
    assert.deepEqual(findings, [])
    assert.equal(
      [...duplicates.values()].reduce((sum, count) => sum + count, 0),
      stored.length - 1,
    )
  })
