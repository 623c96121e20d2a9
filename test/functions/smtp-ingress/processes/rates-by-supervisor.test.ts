import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  CountsBySupervisor,
  type Took,
} from '../../../../functions/smtp-ingress/processes/rates-by-supervisor.ts'

const silent = { message: 'the supervisor does not answer' }

describe('a worker that counts with others', () => {
  function worker() {
    const told: Took[] = []
    const counts = new CountsBySupervisor((message) => told.push(message))
    return { counts, told }
  }

  it('tells what it took and hears what the others did, each answer its own report', async () => {
    const { counts, told } = worker()
    const first = counts.report('192.0.2.1', 5, 3)
    const second = counts.report('192.0.2.2', 5, 4)
    assert.deepEqual(
      told.map(({ kind, key, minute, taken }) => ({ kind, key, minute, taken })),
      [
        { kind: 'Took', key: '192.0.2.1', minute: 5, taken: 3 },
        { kind: 'Took', key: '192.0.2.2', minute: 5, taken: 4 },
      ],
    )
    const answer = (index: number, taken: number) =>
      counts.answered({
        kind: 'OthersTook',
        request: told[index]?.request ?? Number.NaN,
        others: { taken, counters: 1 },
      })
    answer(1, 20)
    answer(0, 10)
    assert.deepEqual(
      (await Promise.all([first, second])).map(({ taken }) => taken),
      [10, 20],
    )
  })

  it('waits two seconds for an answer, and takes none after that', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const { counts, told } = worker()
    const report = counts.report('192.0.2.1', 5, 3)
    context.mock.timers.tick(2000)
    await assert.rejects(report, silent)
    counts.answered({ kind: 'OthersTook', request: told[0]?.request ?? 0, others: { taken: 1, counters: 1 } })
  })

  it('asks for no more than it can keep', async () => {
    const { counts, told } = worker()
    const reports = Array.from({ length: 5000 }, (_, index) => counts.report(`key ${index}`, 5, 1))
    const settled = Promise.allSettled(reports)
    assert.equal(told.length, 4096)
    counts.abandoned()
    assert.deepEqual(new Set((await settled).map(({ status }) => status)), new Set(['rejected']))
  })

  it('keeps nothing that was answered, however much it asks', async () => {
    const { counts } = worker()
    for (let request = 1; request <= 5000; request++) {
      const report = counts.report('192.0.2.1', 5, request)
      counts.answered({ kind: 'OthersTook', request, others: { taken: request, counters: 1 } })
      assert.equal((await report).taken, request)
    }
  })

  it('asks nobody once its supervisor has gone', async () => {
    const { counts, told } = worker()
    const report = counts.report('192.0.2.1', 5, 3)
    counts.abandoned()
    await assert.rejects(report, silent)
    await assert.rejects(counts.report('192.0.2.1', 5, 4), silent)
    assert.equal(told.length, 1)
  })
})
