/** Compares what a deployment needs with what the account has. Pure. */
import type { RequiredQuota } from '../../infra/required-quotas.ts'
import type { Fact, SesAccount } from './account-facts.ts'

export type Result = 'OK' | 'LOW' | '?'

export interface Finding {
  readonly result: Result
  readonly name: string
  readonly text: string
}

/** @param fact null without credentials */
export function assessQuota(quota: RequiredQuota, fact: Fact<number> | null): Finding {
  const { name, service, code, required, awsDefault, effect } = quota
  const title = `${name} (${code})`
  const needed = `${required} needed`
  if (fact === null)
    return {
      result: '?',
      name: title,
      text: `${needed}; the usual quota is ${awsDefault}${required > awsDefault ? `, with which ${effect}` : ''}`,
    }
  if (fact.kind === 'Unknown')
    return { result: '?', name: title, text: `${needed}; not read: ${fact.reason}` }
  if (fact.value >= required)
    return { result: 'OK', name: title, text: `${needed}, the account has ${fact.value}` }
  return {
    result: 'LOW',
    name: title,
    text: `${needed}, the account has ${fact.value}: ${effect}. Request it: aws service-quotas request-service-quota-increase --service-code ${service} --quota-code ${code} --desired-value ${required}`,
  }
}

/**
 * @param needsSes whether mail without a connector leaves through SES
 * @param fact null without credentials
 */
export function assessSes(needsSes: boolean, fact: Fact<SesAccount> | null): Finding {
  const name = 'Amazon SES: production access'
  if (fact === null || fact.kind === 'Unknown') {
    const reason = fact === null ? '' : `; not read: ${fact.reason}`
    const text = needsSes ? 'needed, because defaultRoute is Ses' : 'needed for connectors with route Ses'
    return { result: '?', name, text: `${text}${reason}` }
  }
  const { hasProductionAccess, isSendingEnabled } = fact.value
  if (hasProductionAccess && isSendingEnabled) return { result: 'OK', name, text: 'granted' }
  const fault = hasProductionAccess
    ? 'sending is paused for the account'
    : 'the account is in the sandbox: SES sends only to verified addresses'
  return {
    result: needsSes ? 'LOW' : '?',
    name,
    text: `${fault}${needsSes ? '' : '; only connectors with route Ses need it'}`,
  }
}

/** @param fact null without credentials */
export function assessDualStackTasks(fact: Fact<boolean> | null): Finding {
  const name = 'ECS: account setting dualStackIPv6'
  const needed = 'needed for ingress.ipv6'
  if (fact === null) return { result: '?', name, text: needed }
  if (fact.kind === 'Unknown') return { result: '?', name, text: `${needed}; not read: ${fact.reason}` }
  if (fact.value) return { result: 'OK', name, text: 'enabled' }
  return {
    result: 'LOW',
    name,
    text: `${needed}, and disabled: tasks get no IPv6 addresses, and the deployment fails. Enable it: aws ecs put-account-setting-default --name dualStackIPv6 --value enabled`,
  }
}

/** No API tells whether AWS has lifted the limit. */
export const assessPort25 = (deliversInVpc: boolean): Finding => ({
  result: '?',
  name: 'Outbound port 25',
  text: deliversInVpc
    ? 'needed for deliveries to MX hosts; new accounts must request it from AWS Support, with reverse DNS for EgressAddresses'
    : 'not needed: deliveries leave outside the VPC, through SES or smart hosts on other ports',
})
