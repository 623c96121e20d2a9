/** The settings of one deployment: those of `mailflow` in cdk.json, with those of an environment in their place. Pure. */
import { ConfigurationError } from './config.ts'

/** Text in the name of a stack (https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html). */
const environmentName = /^[A-Za-z][A-Za-z0-9-]{0,62}$/

type Settings = Readonly<Record<string, unknown>>

/**
 * Replaces settings by those of `environments[environment]`, key by key also inside objects. A list is replaced as a
 * whole. Settings that are no object are returned for the parser to refuse.
 * @param environment the value of `cdk --context env=…`; undefined for the settings without an environment
 * @throws ConfigurationError for an environment that the settings do not have, or without a stack name of its own when
 * the common settings have one
 */
export function environmentSettings(settings: unknown, environment: unknown): unknown {
  if (!isObject(settings)) return settings
  const { environments = {}, ...common } = settings
  if (!isObject(environments))
    throw new ConfigurationError('cdk.json context: mailflow.environments: must be an object')
  for (const [name, value] of Object.entries(environments)) checkEnvironment(name, value)
  if (environment === undefined) return common
  const own = Object.hasOwn(environments, String(environment)) ? environments[String(environment)] : undefined
  if (isObject(own)) {
    checkStackName(common, own, String(environment))
    return merge(common, own)
  }
  const names = Object.keys(environments).join(', ') || 'none'
  throw new ConfigurationError(
    `context env: "${environment}" is no environment of mailflow.environments in cdk.json, which has: ${names}`,
  )
}

function checkEnvironment(name: string, value: unknown): void {
  const path = `cdk.json context: mailflow.environments.${name}`
  if (!environmentName.test(name))
    throw new ConfigurationError(
      `${path}: the name must be letters, digits and hyphens, and begin with a letter`,
    )
  if (!isObject(value)) throw new ConfigurationError(`${path}: must be an object of settings`)
}

/** With one name, a deployment of one environment would replace the settings of the stack of another. */
function checkStackName(common: Settings, own: Settings, name: string): void {
  if (common.stackName === undefined || own.stackName !== undefined) return
  throw new ConfigurationError(
    `cdk.json context: mailflow.stackName: would name the stack of every environment; set mailflow.environments.${name}.stackName instead`,
  )
}

function merge(common: Settings, own: Settings): Settings {
  const entries = Object.entries(own).map(([key, value]) => {
    const before = common[key]
    return [key, isObject(before) && isObject(value) ? merge(before, value) : value]
  })
  return { ...common, ...Object.fromEntries(entries) }
}

const isObject = (value: unknown): value is Settings =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
