/**
 * A server of DynamoDB tables. The emulator has no TransactWriteItems, so this server adds it: a transaction begins when
 * no other request runs, and others wait until it ends. Its writes run one after another with their conditions, and are
 * undone if a condition fails.
 */
import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import dynalite from 'dynalite'

type Item = Record<string, unknown>

interface Write extends Record<string, unknown> {
  TableName: string
  Item?: Item
  Key?: Item
}

type Operation = 'Put' | 'Update' | 'Delete'

/** @param path folder of the tables; null keeps them in memory */
export async function startTables(path: string | null): Promise<Server> {
  const emulator = dynalite({ ...(path !== null && { path }), createTableMs: 0 })
  const [passOn] = emulator.listeners('request') as RequestListener[]
  if (passOn === undefined) throw new Error('The emulator of DynamoDB has no request listener.')
  // Requests of transactions, which must not wait for the transaction.
  const inner = createServer(passOn).listen(0, '127.0.0.1')
  const gate = new Gate()
  emulator.removeAllListeners('request')
  emulator.on('request', (request, response) => {
    const isTransaction = operationOf(request) === 'TransactWriteItems'
    const run = async () => {
      if (response.closed) return
      const ended = once(response, 'close')
      if (isTransaction) await transact(request, response, originOf(inner))
      else passOn(request, response)
      await ended
    }
    void (isTransaction ? gate.alone(run) : gate.together(run))
  })
  const close = emulator.close.bind(emulator)
  emulator.close = (done) => {
    inner.close()
    inner.closeAllConnections()
    return close(done)
  }
  emulator.listen(0, '127.0.0.1')
  await Promise.all([once(emulator, 'listening'), once(inner, 'listening')])
  return emulator
}

/** Runs tasks side by side, or alone. Tasks begin in the order in which they arrive. */
class Gate {
  #running = new Set<Promise<void>>()
  #last: Promise<void> = Promise.resolve()

  together(task: () => Promise<void>): Promise<void> {
    return this.#begin(this.#last, task)
  }

  alone(task: () => Promise<void>): Promise<void> {
    const before = Promise.allSettled([this.#last, ...this.#running]).then(() => {})
    this.#last = this.#begin(before, task)
    return this.#last
  }

  #begin(before: Promise<void>, task: () => Promise<void>): Promise<void> {
    const run = before.then(task).catch(() => {})
    this.#running.add(run)
    return run.finally(() => this.#running.delete(run))
  }
}

const operationOf = ({ headers }: IncomingMessage): string =>
  String(headers['x-amz-target'] ?? '').replace(/^.*\./, '')

const originOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

interface Undo {
  operation: 'PutItem' | 'DeleteItem'
  input: Item
}

async function transact(request: IncomingMessage, response: ServerResponse, origin: string): Promise<void> {
  try {
    await answerTransaction(request, response, origin)
  } catch (error) {
    answer(response, 500, { __type: 'InternalServerError', message: String(error) })
  }
}

async function answerTransaction(
  request: IncomingMessage,
  response: ServerResponse,
  origin: string,
): Promise<void> {
  const { TransactItems } = JSON.parse(await textOf(request)) as {
    TransactItems: Partial<Record<Operation, Write>>[]
  }
  const call = (operation: string, input: Item) => callEmulator(origin, request, operation, input)
  const reasons: { Code: string; Message?: string }[] = []
  const undo: Undo[] = []
  for (const item of TransactItems) {
    const [operation, write] = Object.entries(item)[0] as [Operation, Write]
    const { ReturnValuesOnConditionCheckFailure: _, ...input } = write
    const { status, body } = await call(`${operation}Item`, { ...input, ReturnValues: 'ALL_OLD' })
    if (status === 200) undo.push(await undoOf(call, write, body.Attributes as Item | undefined))
    const code = String(body.__type ?? '')
    if (status !== 200 && !code.endsWith('ConditionalCheckFailedException')) {
      await undoAll(call, undo)
      return answer(response, status, body)
    }
    reasons.push(
      status === 200
        ? { Code: 'None' }
        : { Code: 'ConditionalCheckFailed', Message: 'The conditional request failed' },
    )
  }
  if (reasons.every(({ Code }) => Code === 'None')) return answer(response, 200, {})
  await undoAll(call, undo)
  const codes = reasons.map(({ Code }) => Code).join(', ')
  answer(response, 400, {
    __type: 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException',
    message: `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
    CancellationReasons: reasons,
  })
}

type Call = (operation: string, input: Item) => Promise<{ status: number; body: Item }>

async function undoOf(call: Call, write: Write, previous: Item | undefined): Promise<Undo> {
  const { TableName } = write
  if (previous !== undefined) return { operation: 'PutItem', input: { TableName, Item: previous } }
  const { body } = await call('DescribeTable', { TableName })
  const { KeySchema } = body.Table as { KeySchema: { AttributeName: string }[] }
  const names = KeySchema.map(({ AttributeName }) => AttributeName)
  const attributes = write.Key ?? write.Item ?? {}
  const Key = Object.fromEntries(names.map((name) => [name, attributes[name]]))
  return { operation: 'DeleteItem', input: { TableName, Key } }
}

async function undoAll(call: Call, undo: readonly Undo[]): Promise<void> {
  for (const { operation, input } of undo.toReversed()) await call(operation, input)
}

async function callEmulator(
  origin: string,
  { headers }: IncomingMessage,
  operation: string,
  input: Item,
): Promise<{ status: number; body: Item }> {
  const reply = await fetch(origin, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `DynamoDB_20120810.${operation}`,
      authorization: headers.authorization ?? '',
      'x-amz-date': String(headers['x-amz-date'] ?? ''),
    },
    body: JSON.stringify(input),
  })
  return { status: reply.status, body: (await reply.json()) as Item }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

function answer(response: ServerResponse, status: number, body: Item): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body))
}
