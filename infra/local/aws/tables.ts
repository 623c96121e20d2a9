/**
 * A server of DynamoDB tables. The emulator has no TransactWriteItems, so this server adds it: a transaction begins when
 * no other request runs, and others wait until it ends. Its writes run one after another with their conditions, and are
 * undone if a condition fails.
 */
import { once } from 'node:events'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import dynalite from 'dynalite'
import inject from 'light-my-request'

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
  const gate = new Gate()
  emulator.removeAllListeners('request')
  emulator.on('request', (request, response) => {
    const isTransaction = operationOf(request) === 'TransactWriteItems'
    const run = async () => {
      if (response.closed) return
      const ended = once(response, 'close')
      if (isTransaction) await transact(request, response, passOn)
      else passOn(request, response)
      await ended
    }
    void (isTransaction ? gate.alone(run) : gate.together(run))
  })
  emulator.listen(0, '127.0.0.1')
  await once(emulator, 'listening')
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

interface Done {
  write: Write
  /** The item before the write; undefined for none. */
  previous: Item | undefined
}

async function transact(
  request: IncomingMessage,
  response: ServerResponse,
  passOn: RequestListener,
): Promise<void> {
  try {
    await answerTransaction(request, response, passOn)
  } catch (error) {
    answer(response, 500, { __type: 'InternalServerError', message: String(error) })
  }
}

async function answerTransaction(
  request: IncomingMessage,
  response: ServerResponse,
  passOn: RequestListener,
): Promise<void> {
  const { TransactItems } = JSON.parse(await textOf(request)) as {
    TransactItems: Partial<Record<Operation, Write>>[]
  }
  const call = (operation: string, input: Item) => callEmulator(passOn, request, operation, input)
  const writes = TransactItems.map((item, index) => {
    const [operation, write] = Object.entries(item)[0] as [Operation, Write]
    return { operation, write, index }
  })
  const failed = new Set<number>()
  const done: Done[] = []
  const isConditional = ({ write }: { write: Write }) => 'ConditionExpression' in write
  // Writes with conditions come first, so that there is less to undo.
  const ordered = [...writes.filter(isConditional), ...writes.filter((each) => !isConditional(each))]
  for (const { operation, write, index } of ordered) {
    if (failed.size > 0 && !isConditional({ write })) break
    const { status, body } = await call(`${operation}Item`, { ...write, ReturnValues: 'ALL_OLD' })
    if (status === 200) done.push({ write, previous: body.Attributes as Item | undefined })
    else if (String(body.__type).endsWith('ConditionalCheckFailedException')) failed.add(index)
    else {
      await undo(call, done)
      return answer(response, status, body)
    }
  }
  if (failed.size === 0) return answer(response, 200, {})
  await undo(call, done)
  const reasons = writes.map(({ index }) =>
    failed.has(index)
      ? { Code: 'ConditionalCheckFailed', Message: 'The conditional request failed' }
      : { Code: 'None' },
  )
  const codes = reasons.map(({ Code }) => Code).join(', ')
  answer(response, 400, {
    __type: 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException',
    message: `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
    CancellationReasons: reasons,
  })
}

type Call = (operation: string, input: Item) => Promise<{ status: number; body: Item }>

/** Restores the items before some writes. */
async function undo(call: Call, done: readonly Done[]): Promise<void> {
  for (const { write, previous } of done.toReversed()) {
    const { TableName, Key = await keyOf(call, write) } = write
    if (previous !== undefined) await call('PutItem', { TableName, Item: previous })
    else await call('DeleteItem', { TableName, Key })
  }
}

async function keyOf(call: Call, { TableName, Item = {} }: Write): Promise<Item> {
  const { body } = await call('DescribeTable', { TableName })
  const { KeySchema } = body.Table as { KeySchema: { AttributeName: string }[] }
  return Object.fromEntries(KeySchema.map(({ AttributeName: name }) => [name, Item[name]]))
}

async function callEmulator(
  passOn: RequestListener,
  { headers: { 'content-length': _, ...headers } }: IncomingMessage,
  operation: string,
  input: Item,
): Promise<{ status: number; body: Item }> {
  const reply = await inject(passOn, {
    method: 'POST',
    url: '/',
    headers: { ...headers, 'x-amz-target': `DynamoDB_20120810.${operation}` },
    payload: JSON.stringify(input),
  })
  return { status: reply.statusCode, body: reply.json<Item>() }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

function answer(response: ServerResponse, status: number, body: Item): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body))
}
