import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type CommandOptions, mailflow, startAnsweringServer } from '../support/cli/mailflow.ts'

const id = '01KF0CVZT0ABCDEFGHJKMNPQRS'
const counts = { events: 12, files: 5, messages: 3, rejections: 1, contents: 4, searches: 1, deadLetters: 0 }
const succeeded = { id, state: 'Succeeded', erased: counts, remaining: [], reason: null }

/** Runs the command against a server that answers with these states, one after another. */
async function run(
  args: readonly string[],
  states: readonly object[],
  options: CommandOptions = {},
  started: { status?: number; body: string } = {
    status: 202,
    body: JSON.stringify({ id, state: 'Running' }),
  },
) {
  const requests: string[] = []
  const remaining = [...states]
  const server = await startAnsweringServer(({ method, url }) => {
    requests.push(`${method} ${url}`)
    return method === 'DELETE' ? started : { body: JSON.stringify(remaining.shift()) }
  })
  try {
    const result = await mailflow(['addresses', 'erase', ...args], {
      env: { MAILFLOW_API: server.url },
      ...options,
    })
    return { ...result, requests }
  } finally {
    server.stop()
  }
}

describe('`addresses erase`', () => {
  test('asks, starts the erasure, follows it, and prints what was erased', async () => {
    const questions: string[] = []
    const prompt = async (question: string) => {
      questions.push(question)
      return 'yes'
    }
    const running = { ...succeeded, state: 'Running' }
    const { status, out, err, requests } = await run(['ann+x@ours.example'], [running, running, succeeded], {
      prompt,
    })
    assert.deepEqual([status, err], [0, ''])
    assert.deepEqual(questions, ['Erase for ever what is stored of ann+x@ours.example? Type yes: '])
    assert.deepEqual(requests, [
      'DELETE /addresses/ann%2Bx%40ours.example',
      ...Array.from({ length: 3 }, () => `GET /erasures/${id}`),
    ])
    assert.deepEqual(out.split('\n'), [
      'Erased                          Number',
      'events changed                      12',
      'files of events rewritten            5',
      'messages erased from the trace       3',
      'refusals erased from the trace       1',
      'contents of mail erased              4',
      'results of searches deleted          1',
      'dead letters deleted                 0',
      '',
      'The configuration does not have the address.',
      '',
    ])
  })

  test('prints where the configuration still has the address', async () => {
    const remaining = ['/accepted-domains/ours.example/recipients', 'setting postmaster']
    const { out } = await run(['ann@ours.example', '--yes'], [{ ...succeeded, remaining }])
    assert.match(
      out,
      /\nThe configuration still has the address:\n {2}\/accepted-domains\/ours\.example\/recipients\n {2}setting postmaster\n$/,
    )
  })

  test('prints the state as JSON', async () => {
    const { out } = await run(['ann@ours.example', '--yes', '--json'], [succeeded])
    assert.deepEqual(JSON.parse(out), succeeded)
  })

  test('follows an earlier erasure by its id', async () => {
    const { status, requests } = await run(['--id', id], [succeeded])
    assert.deepEqual([status, requests], [0, [`GET /erasures/${id}`]])
  })

  test('fails with the reason of a failed erasure', async () => {
    const failed = { ...succeeded, state: 'Failed', reason: '1 message is neither delivered nor bounced.' }
    const { status, err } = await run(['ann@ours.example', '--yes'], [failed])
    assert.deepEqual(
      [status, err],
      [1, 'mailflow: the erasure failed: 1 message is neither delivered nor bounced.\n'],
    )
  })

  test('prints why the gateway refuses, and how to follow an erasure that cannot be read', async () => {
    const detail = '2 messages of this address are neither delivered nor bounced: A, B.'
    const refused = { status: 409, body: JSON.stringify({ status: 409, detail }) }
    const { status, err } = await run(['ann@ours.example', '--yes'], [], {}, refused)
    assert.equal(status, 1)
    assert.match(err, /2 messages of this address are neither delivered nor bounced: A, B\./)
    const unreadable = await run(['ann@ours.example', '--yes'], [{ id: 5 }])
    assert.equal(unreadable.status, 1)
    assert.match(unreadable.err, new RegExp(`to follow it: npx mailflow addresses erase --id ${id}`))
  })

  const wrong: [args: string[], status: number, fault: RegExp][] = [
    [[], 2, /addresses erase needs an ADDRESS, or --id ID/],
    [['ann@ours.example', '--id', id], 2, /addresses erase needs an ADDRESS, or --id ID/],
    [['ours.example', '--yes'], 2, /ours\.example: is a domain; give the address of one mailbox/],
    [['ann@', '--yes'], 2, /ann@: has no valid domain after its @/],
    [['ann@ours.example'], 1, /Without a terminal, give --yes\. Nothing was written/],
  ]
  for (const [args, status, fault] of wrong)
    test(`sends no request for ${args.join(' ') || 'no argument'}`, async () => {
      const result = await run(args, [])
      assert.deepEqual([result.status, result.requests], [status, []])
      assert.match(result.err, fault)
    })
})
