import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { AdmissionBySupervisor } from '../../../../functions/smtp-ingress/processes/admission-by-supervisor.ts'
import { type FromWorker, Outbox } from '../../../../functions/smtp-ingress/processes/messages.ts'
import { tooManyConnections } from '../../../../functions/smtp-ingress/replies.ts'

function admissionIn(context: TestContext) {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const told: FromWorker[] = []
  return { admission: new AdmissionBySupervisor((message) => void told.push(message)), told }
}

test('the supervisor is asked, and its answer is told to whom it concerns', async (context) => {
  const { admission, told } = admissionIn(context)
  const [first, second] = [admission.admit('192.0.2.1'), admission.admit('192.0.2.2')]
  assert.deepEqual(told, [
    { kind: 'Admit', request: 1, address: '192.0.2.1' },
    { kind: 'Admit', request: 2, address: '192.0.2.2' },
  ])
  admission.answered({ kind: 'Admitted', request: 2, refused: tooManyConnections })
  admission.answered({ kind: 'Admitted', request: 1, refused: null })
  assert.deepEqual([await first, await second], [null, tooManyConnections])
  admission.release('192.0.2.1')
  assert.deepEqual(told.at(-1), { kind: 'Release', address: '192.0.2.1' })
})

test('without an answer in two seconds the client hears 421, and an admission that comes late is given back', async (context) => {
  const { admission, told } = admissionIn(context)
  const [late, lateRefusal] = [admission.admit('192.0.2.1'), admission.admit('192.0.2.2')]
  context.mock.timers.tick(2000)
  for (const refused of [await late, await lateRefusal]) {
    assert.equal(refused?.reason, 'SupervisorSilent')
    assert.deepEqual([refused?.reply.code, refused?.reply.enhanced], [421, '4.3.2'])
  }
  told.length = 0
  admission.answered({ kind: 'Admitted', request: 1, refused: null })
  admission.answered({ kind: 'Admitted', request: 2, refused: tooManyConnections })
  assert.deepEqual(told, [{ kind: 'Release', address: '192.0.2.1' }])
})

test('what waits for an answer is bounded, whether it still waits or has given up', async (context) => {
  const { admission, told } = admissionIn(context)
  const asked = Array.from({ length: 5000 }, () => admission.admit('192.0.2.1'))
  assert.equal(told.length, 4096)
  context.mock.timers.tick(2000)
  await Promise.all(asked)
  const refused = await admission.admit('192.0.2.1')
  assert.equal(refused?.reason, 'SupervisorSilent')
  assert.equal(told.length, 4096)
  admission.answered({ kind: 'Admitted', request: 7, refused: tooManyConnections })
  void admission.admit('192.0.2.1')
  assert.equal(told.length, 4097)
})

test('who was answered waits no longer, however many come', async (context) => {
  const { admission } = admissionIn(context)
  for (let request = 1; request <= 5000; request++) {
    const asked = admission.admit('192.0.2.1')
    admission.answered({ kind: 'Admitted', request, refused: null })
    assert.equal(await asked, null)
  }
})

test('when the supervisor has gone, who waits is refused at once, and so is who comes', async (context) => {
  const { admission, told } = admissionIn(context)
  const waiting = admission.admit('192.0.2.1')
  admission.abandoned()
  assert.equal((await waiting)?.reason, 'SupervisorSilent')
  assert.equal((await admission.admit('192.0.2.1'))?.reason, 'SupervisorSilent')
  admission.release('192.0.2.1')
  assert.equal(told.length, 1)
})

test('what is said in one turn leaves in one message, in order, and nothing leaves twice', async () => {
  const sent: number[][] = []
  const outbox = new Outbox<number>((messages, done) => {
    sent.push([...messages])
    done(null)
  })
  outbox.tell(1)
  outbox.tell(2)
  await new Promise((resolve) => setImmediate(resolve))
  outbox.tell(3)
  await outbox.flush()
  await outbox.flush()
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(sent, [[1, 2], [3]])
})
