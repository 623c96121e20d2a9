/** Reads an account's quotas and its state at Amazon SES. Each fact that cannot be read has the reason in its place. */
import * as z from 'zod'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { signAwsRequest } from '../api/sign-request.ts'

/** A value of the account, or the reason why it is unknown. */
export type Fact<T> =
  | { readonly kind: 'Read'; readonly value: T }
  | { readonly kind: 'Unknown'; readonly reason: string }

export interface SesAccount {
  /** False in the sandbox, where SES sends only to verified addresses. */
  readonly hasProductionAccess: boolean
  readonly isSendingEnabled: boolean
}

export interface AwsAccess {
  readonly region: string
  readonly env: Readonly<Record<string, string | undefined>>
}

const timeoutMs = 20_000

/** Quotas that were never changed exist only as defaults, which another operation returns. */
export async function readQuota(
  { service, code }: { service: string; code: string },
  access: AwsAccess,
): Promise<Fact<number>> {
  const body = { ServiceCode: service, QuotaCode: code }
  const own = await quotaRequest('GetServiceQuota', body, access)
  if (own.kind === 'Read' || !own.reason.includes('NoSuchResource')) return own
  return quotaRequest('GetAWSDefaultServiceQuota', body, access)
}

const QuotaResponse = z.looseObject({ Quota: z.looseObject({ Value: z.number() }) })

/** Service Quotas API Reference: AWS JSON 1.1. */
async function quotaRequest(operation: string, body: object, access: AwsAccess): Promise<Fact<number>> {
  const response = await awsRequest({
    ...access,
    service: 'servicequotas',
    endpoint: access.env.AWS_ENDPOINT_URL_SERVICE_QUOTAS ?? `https://servicequotas.${hostOf(access.region)}`,
    method: 'POST',
    path: '/',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `ServiceQuotasV20190624.${operation}`,
    },
    body: JSON.stringify(body),
  })
  return map(response, QuotaResponse, ({ Quota }) => Quota.Value)
}

const AccountResponse = z.looseObject({ ProductionAccessEnabled: z.boolean(), SendingEnabled: z.boolean() })

/** Amazon SES API v2 Reference, GetAccount. */
export async function readSesAccount(access: AwsAccess): Promise<Fact<SesAccount>> {
  const response = await awsRequest({
    ...access,
    service: 'ses',
    endpoint: access.env.AWS_ENDPOINT_URL_SESV2 ?? `https://email.${hostOf(access.region)}`,
    method: 'GET',
    path: '/v2/email/account',
    headers: {},
  })
  return map(response, AccountResponse, ({ ProductionAccessEnabled, SendingEnabled }) => ({
    hasProductionAccess: ProductionAccessEnabled,
    isSendingEnabled: SendingEnabled,
  }))
}

const SettingsResponse = z.looseObject({ settings: z.array(z.looseObject({ value: z.string() })) })

/** Whether tasks get IPv6 addresses in subnets that have them (Amazon ECS API Reference, ListAccountSettings). */
export async function readDualStackTasks(access: AwsAccess): Promise<Fact<boolean>> {
  const response = await awsRequest({
    ...access,
    service: 'ecs',
    endpoint: access.env.AWS_ENDPOINT_URL_ECS ?? `https://ecs.${hostOf(access.region)}`,
    method: 'POST',
    path: '/',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'AmazonEC2ContainerServiceV20141113.ListAccountSettings',
    },
    body: JSON.stringify({ name: 'dualStackIPv6', effectiveSettings: true }),
  })
  return map(response, SettingsResponse, ({ settings }) => settings.some(({ value }) => value === 'enabled'))
}

const hostOf = (region: string): string => `${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`

interface AwsRequest extends AwsAccess {
  readonly service: string
  readonly endpoint: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

async function awsRequest({
  region,
  service,
  endpoint,
  method,
  path,
  headers,
  body,
}: AwsRequest): Promise<Fact<unknown>> {
  const url = new URL(path, endpoint)
  try {
    const signed = await signAwsRequest({ url, method, headers, body }, region, service)
    const response = await fetch(url, {
      method,
      headers: signed,
      ...(body !== undefined && { body }),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    })
    const text = await response.text()
    return response.ok
      ? { kind: 'Read', value: JSON.parse(text) }
      : {
          kind: 'Unknown',
          reason: `${response.status} ${errorTypeOf(text, response.headers.get('x-amzn-errortype'))}`,
        }
  } catch (error) {
    return { kind: 'Unknown', reason: errorMessage(error) }
  }
}

const ErrorBody = z.looseObject({
  __type: z.string().optional(),
  message: z.string().optional(),
  Message: z.string().optional(),
})

function errorTypeOf(text: string, header: string | null): string {
  try {
    const { __type: type = header ?? '', message, Message } = ErrorBody.parse(JSON.parse(text))
    return [type.split('#').at(-1)?.split(':')[0], message ?? Message].filter(Boolean).join(': ')
  } catch {
    return header ?? 'an answer that is not JSON'
  }
}

function map<S extends z.ZodType, T>(
  fact: Fact<unknown>,
  schema: S,
  convert: (value: z.output<S>) => T,
): Fact<T> {
  if (fact.kind === 'Unknown') return fact
  const parsed = schema.safeParse(fact.value)
  return parsed.success
    ? { kind: 'Read', value: convert(parsed.data) }
    : { kind: 'Unknown', reason: 'an unexpected answer' }
}
