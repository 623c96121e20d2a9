import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Callouts } from '../../../../functions/smtp-ingress/recipients/callouts.ts'
import type { CalloutResult } from '../../../../shared/contract/recipient-callout.ts'

function setup(answer: (address: string) => Promise<CalloutResult['result']>) {
  const invoked: string[] = []
  const logged: string[] = []
  const clock = { now: 0 }
  const invoke = async (address: string) => {
    invoked.push(address)
    return { result: await answer(address), detail: 'a reply' }
  }
  const log = (_level: string, message: string) => void logged.push(message)
  return { callouts: new Callouts(invoke, log, () => clock.now), invoked, logged, clock }
}

const client = '192.0.2.1'
const minute = 60_000

const lifetimes: [result: CalloutResult['result'], minutes: number][] = [
  ['Exists', 240],
  ['Unknown', 10],
  ['Undetermined', 1],
]
for (const [result, minutes] of lifetimes)
  test(`the result ${result} applies for ${minutes} minutes`, async () => {
    const { callouts, invoked, clock } = setup(async () => result)
    assert.equal(await callouts.check('anna@ours.example', client), result)
    clock.now += minutes * minute - 1
    assert.equal(callouts.check('ANNA@ours.example', client), result)
    clock.now += 1
    assert.equal(await callouts.check('anna@ours.example', client), result)
    assert.equal(invoked.length, 2)
  })

test('a function that cannot be invoked determines nothing, and this is logged', async () => {
  const { callouts, logged } = setup(async () => {
    throw new Error('AccessDenied')
  })
  assert.equal(await callouts.check('anna@ours.example', client), 'Undetermined')
  assert.equal(logged.length, 1)
})

test('sessions that wait for the same recipient cause one callout, from any client', async () => {
  const { callouts, invoked } = setup(async () => 'Exists')
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) => callouts.check('anna@ours.example', `192.0.2.${n}`)),
  )
  assert.deepEqual([new Set(answers), invoked.length], [new Set(['Exists']), 1])
})

const networks: [title: string, addressOf: (n: number) => string, concurrent: number][] = [
  ['of one address causes four callouts', () => client, 4],
  ['of one /64 causes four callouts', (n) => `2001:db8::${(n + 1).toString(16)}`, 4],
  ['of many addresses causes ten callouts', (n) => `192.0.2.${n}`, 10],
]
for (const [title, addressOf, concurrent] of networks)
  test(`a client ${title} at the same time; others are busy and not accepted`, async () => {
    const answer = Promise.withResolvers<'Exists'>()
    const { callouts, invoked } = setup(() => answer.promise)
    const answers = Array.from({ length: 50 }, (_, n) => callouts.check(`n${n}@ours.example`, addressOf(n)))
    assert.equal(invoked.length, concurrent)
    assert.equal(answers.filter((each) => each === 'Busy').length, 50 - concurrent)
    answer.resolve('Exists')
    await Promise.all(answers)
    assert.equal(await callouts.check('later@ours.example', addressOf(0)), 'Exists')
  })

test('a client causes 120 callouts in a minute, one after another; then others are busy until the minute is over', async () => {
  const { callouts, invoked, clock } = setup(async () => 'Exists')
  for (let n = 0; n < 120; n++) await callouts.check(`anna+${n}@ours.example`, client)
  assert.equal(callouts.check('anna+120@ours.example', client), 'Busy')
  assert.equal(callouts.check('anna+1@ours.example', client), 'Exists')
  clock.now += minute
  assert.equal(await callouts.check('anna+120@ours.example', client), 'Exists')
  assert.equal(invoked.length, 121)
})

test('a throttled function is no failed check: the recipient is not accepted, and checked again next time', async () => {
  let isThrottled = true
  const invoke = async () => (isThrottled ? 'Throttled' : ({ result: 'Exists', detail: '' } as const))
  const callouts = new Callouts(invoke, () => {})
  assert.equal(await callouts.check('anna@ours.example', client), 'Throttled')
  isThrottled = false
  assert.equal(await callouts.check('anna@ours.example', client), 'Exists')
})

test('while one client has used its callouts, known recipients and another client are checked', async () => {
  const { callouts } = setup(async (address) => {
    if (address.startsWith('hangs')) await new Promise(() => {})
    return 'Exists'
  })
  await callouts.check('known@ours.example', client)
  for (let n = 0; n < 4; n++) void callouts.check(`hangs${n}@ours.example`, client)
  assert.equal(callouts.check('new@ours.example', client), 'Busy')
  assert.equal(callouts.check('known@ours.example', client), 'Exists')
  assert.equal(await callouts.check('new@ours.example', '198.51.100.1'), 'Exists')
})

test('while a mailbox server is down, its recipients need no callout, and those of other domains are checked', async () => {
  const invoked: string[] = []
  const clock = { now: 0 }
  const invoke = async (address: string) => {
    invoked.push(address)
    return address.endsWith('@down.example')
      ? ({ result: 'Undetermined', detail: 'timed out', isUnreachable: true } as const)
      : ({ result: 'Unknown', detail: '' } as const)
  }
  const callouts = new Callouts(
    invoke,
    () => {},
    () => clock.now,
  )
  const check = (address: string) => callouts.check(address, client)
  assert.equal(await check('a@down.example'), 'Undetermined')
  for (let n = 0; n < 50; n++) assert.equal(check(`n${n}@DOWN.example`), 'Undetermined')
  assert.equal(await check('a@ours.example'), 'Unknown')
  clock.now += 30_000
  assert.equal(await check('b@down.example'), 'Undetermined')
  assert.deepEqual(invoked, ['a@down.example', 'a@ours.example', 'b@down.example'])
})
