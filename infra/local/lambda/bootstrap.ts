/** Runs a Lambda execution environment in a worker thread: loads the handler, then runs one invocation at a time. */
import { createRequire } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import { errorMessage } from '../../../shared/contract/error-message.ts'
import { installTranslation, type Translation } from './nat.ts'

export interface EnvironmentData {
  /** The path of the handler's module. */
  readonly module: string
  /** The name of the handler's export. */
  readonly handler: string
  readonly translation: Translation
}

export interface Invocation {
  readonly requestId: string
  readonly event: unknown
  /** Milliseconds since the epoch. */
  readonly deadline: number
}

export type Report =
  | { kind: 'ready' }
  /** `cpuMs`: processor time of the invocation in this thread */
  | { kind: 'result'; value: unknown; cpuMs: number }
  | { kind: 'failure'; message: string }

type Handler = (event: unknown, context: object) => unknown

const data = workerData as EnvironmentData
const report = (message: Report) => parentPort?.postMessage(message)

installTranslation(data.translation)
const module: Record<string, Handler> = createRequire(import.meta.url)(data.module)
const handler = module[data.handler]
if (handler === undefined) throw new Error(`${data.module} does not export ${data.handler}`)

parentPort?.on('message', async (invocation: Invocation) => {
  const cpuBefore = process.threadCpuUsage()
  try {
    const value = await handler(invocation.event, contextOf(invocation))
    const { user, system } = process.threadCpuUsage(cpuBefore)
    report({ kind: 'result', value, cpuMs: (user + system) / 1000 })
  } catch (error) {
    console.error(error)
    report({ kind: 'failure', message: errorMessage(error) })
  }
})
report({ kind: 'ready' })

function contextOf({ requestId, deadline }: Invocation): object {
  const { AWS_LAMBDA_FUNCTION_NAME: name, AWS_LAMBDA_FUNCTION_MEMORY_SIZE: memory } = process.env
  return {
    callbackWaitsForEmptyEventLoop: false,
    functionName: name,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:${process.env.AWS_REGION}:000000000000:function:${name}`,
    memoryLimitInMB: memory,
    awsRequestId: requestId,
    logGroupName: `/aws/lambda/${name}`,
    logStreamName: 'local',
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  }
}
