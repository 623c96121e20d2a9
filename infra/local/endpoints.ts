/** Addresses and names of the running stack. */
import type { Resources } from './aws/resources.ts'
import { type Resolver, resourcesOfType, type Template } from './template.ts'

/** The JSON object in the line `mailflow ready`. */
export interface Endpoints {
  readonly smtp: string
  readonly health: string
  readonly api: string
  /** The API for people who sign in; only with the setting `jwt`. */
  readonly signInApi?: string
  /** The page for administrators; only with the setting `console`, which is on without `jwt`. */
  readonly console?: string
  /** The public pages: the published certificates. */
  readonly pages: string
  readonly dns: string
  readonly sqs: string
  readonly sns: string
  readonly s3: string
  readonly dynamodb: string
  readonly ses: string
  readonly athena: string
  readonly cloudWatch: string
  /** Lambda's Invoke API. */
  readonly lambda: string
  readonly functions: readonly string[]
  readonly secrets: string
  /** URLs by stage; dead-letter queues are `<stage>DeadLetters`. */
  readonly queues: Readonly<Record<string, string>>
  readonly tables: Readonly<Record<string, string>>
  readonly bucket: string
  readonly eventsBucket: string
  /** The file with the authority's certificate. */
  readonly authority: string
  /** The directory of the units' logs. */
  readonly logs: string
  readonly pids: { readonly runner: number; readonly ingress: number | undefined }
}

/**
 * Returns the queues' URLs and the tables' names, keyed by the prefix of the environment variable
 * (`EVALUATION_QUEUE_URL` → `evaluation`), and the buckets.
 * @param variables the environment variables of all units
 */
export function namesIn(
  variables: Readonly<Record<string, string>>,
  template: Template,
  resolver: Resolver,
  { queues, tables }: Resources,
): Pick<Endpoints, 'queues' | 'tables' | 'bucket' | 'eventsBucket'> {
  const valuesBySuffix = (suffix: string) =>
    Object.entries(variables)
      .filter(([name]) => name.endsWith(suffix))
      .map(([name, value]): [string, string] => [name.slice(0, -suffix.length).toLowerCase(), value])
  const stages = valuesBySuffix('_QUEUE_URL')
  const deadLetters = stages.flatMap(([stage, url]) => {
    const target = deadLetterArn(queues.find((queue) => queue.url === url)?.logicalId, template, resolver)
    return queues.filter(({ arn }) => arn === target).map((queue) => [`${stage}DeadLetters`, queue.url])
  })
  return {
    queues: Object.fromEntries([...stages, ...deadLetters]),
    // Not the table of Athena.
    tables: Object.fromEntries(
      valuesBySuffix('_TABLE').filter(([, name]) => Object.values(tables).includes(name)),
    ),
    bucket: variables.CONTENT_BUCKET ?? '',
    eventsBucket: variables.EVENTS_BUCKET ?? '',
  }
}

function deadLetterArn(
  logicalId: string | undefined,
  template: Template,
  resolver: Resolver,
): string | undefined {
  const [, properties] = resourcesOfType(template, 'AWS::SQS::Queue').find(([id]) => id === logicalId) ?? []
  const policy = properties?.RedrivePolicy as { deadLetterTargetArn: unknown } | undefined
  return policy === undefined ? undefined : resolver.string(policy.deadLetterTargetArn)
}
