/**
 * Creates the CDK app for the command `cdk`, and for programs that import this module; each reads the same cdk.json.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Annotations, App, Validations } from 'aws-cdk-lib'
import { defaultStackName } from '../shared/contract/secrets.ts'
import {
  type Config,
  ConfigurationError,
  deletionProtectionAdvice,
  exampleSettings,
  notifiesAdministrators,
  readConfig,
} from './config.ts'
import { environmentSettings } from './environment-settings.ts'
import { MailflowStack } from './mailflow-stack.ts'
import { repositoryRoot } from './repository.ts'
import { requiredQuotas } from './required-quotas.ts'

export interface CreateAppOptions {
  /** Folder of the cloud assembly. @default CDK's choice */
  readonly outdir?: string
  /** Settings that replace those of `mailflow` in cdk.json, key by key. */
  readonly mailflow?: Readonly<Record<string, unknown>>
  /** Checks the template against CloudFormation's schema, which takes a second or more. @default true */
  readonly validate?: boolean
  /** Further context, such as CDK feature flags. */
  readonly context?: Readonly<Record<string, unknown>>
}

/**
 * Builds the app with its one stack; `createApp(…).synth()` returns the cloud assembly. A configuration error is
 * printed as one line on stderr and ends the process with code 1.
 */
export function createApp(options: CreateAppOptions = {}): App {
  try {
    return buildApp(options)
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  }
}

/** @throws ConfigurationError naming each invalid setting */
export function buildApp(options: CreateAppOptions = {}): App {
  const { context } = JSON.parse(readFileSync(join(repositoryRoot, 'cdk.json'), 'utf8'))
  const app = new App({
    context: { ...context, ...options.context },
    // Analytics metadata would make the template depend on the machine.
    analyticsReporting: false,
    builtinCloudFormationValidation: options.validate ?? true,
    ...(options.outdir !== undefined && { outdir: options.outdir }),
  })
  const environment: unknown = app.node.tryGetContext('env')
  const settings = mergeSettings(app.node.tryGetContext('mailflow'), environment, options.mailflow)
  const config = readConfig(settings)
  const stack = new MailflowStack(app, config.stackName ?? stackNameOf(environment), config)
  addMessages(stack, config)
  return app
}

/**
 * Adds what `cdk synth` and `cdk deploy` say about the settings. What each first deployment has is information, because a
 * warning would stop `cdk deploy --strict`.
 */
function addMessages(stack: MailflowStack, config: Config): void {
  for (const name of exampleSettings(config))
    Validations.of(stack).addWarning(
      `example-${name}`,
      `mailflow.${name} still has the example value of cdk.json: change it before you deploy`,
    )
  if (!notifiesAdministrators(config))
    Validations.of(stack).addWarning(
      'no-subscription',
      'Alarms notify no administrator: set mailflow.alarmEmail, or mailflow.alarmsTopicArn, or subscribe to the topics AlarmsTopic and NoticesTopic',
    )
  if (!config.deletionProtection)
    Annotations.of(stack).addInfoV2(
      'deletion-protection',
      `Deletion protection is ${deletionProtectionAdvice}`,
    )
  if (config.encryptionKeyArn !== undefined)
    Annotations.of(stack).addInfoV2(
      'key-policy',
      'The policy of the key of mailflow.encryptionKeyArn must have the statements of docs/generated/key-policy.md before you deploy',
    )
  const quotas = requiredQuotas(config)
    .map(({ name, code, required }) => `${required} of ${name} (${code})`)
    .slice(0, 2)
  Annotations.of(stack).addInfoV2(
    'quotas',
    `Under load the stack uses up to ${quotas.join(' and ')}. New accounts have less: request more, or lower mailflow.functions.{evaluate,deliver,bounce}.concurrency (2 each: 10 together) and mailflow.ingress.maximumTasks`,
  )
}

/** `--context mailflow=…` gives text, which the parser then refuses. */
function mergeSettings(
  settings: unknown,
  environment: unknown,
  overrides: CreateAppOptions['mailflow'],
): unknown {
  const all = typeof settings === 'object' ? { ...settings, ...overrides } : settings
  return environmentSettings(all, environment)
}

const stackNameOf = (environment: unknown): string =>
  environment === undefined ? defaultStackName : `${defaultStackName}-${environment}`
