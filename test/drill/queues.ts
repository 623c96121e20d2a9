/** Waits until a local stack has worked off the jobs of its queues. */
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { Endpoints } from '../../infra/local/endpoints.ts'
import { waitForResult } from '../support/local/runner.ts'

const waitingJobs = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const

/** Milliseconds. A repeated job whose recipients another worker holds returns to its queue, and waits there. */
const busyJobMs = 120_000

/** Leaves out delayed jobs: the timers of deferrals. */
export async function waitForEmptyQueues({ sqs, queues }: Endpoints): Promise<void> {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  const client = new SQSClient({ region: 'eu-west-1', credentials, endpoint: sqs })
  await waitForResult(
    async () => {
      const counts = await Promise.all(
        Object.values(queues).map(async (QueueUrl) => {
          const { Attributes = {} } = await client.send(
            new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...waitingJobs] }),
          )
          return waitingJobs.map((name) => Number(Attributes[name]))
        }),
      )
      return counts.flat().every((count) => count === 0) ? true : null
    },
    50,
    busyJobMs,
  )
}
