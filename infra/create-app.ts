/** The app as `cdk` runs it, and as anything else in this process can: both read the same cdk.json. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { App, Validations } from 'aws-cdk-lib'
import { ConfigurationError, exampleSettings, readConfig } from './config.ts'
import { MailflowStack } from './mailflow-stack.ts'
import { repositoryRoot } from './repository.ts'

export interface CreateAppOptions {
  /** Where the cloud assembly is written; CDK's own choice when left out. */
  readonly outdir?: string
  /** Settings that replace those of cdk.json's `mailflow`, key by key. */
  readonly mailflow?: Readonly<Record<string, unknown>>
  /** Checks the template against CloudFormation's schema, which takes a second or more; true when left out. */
  readonly validate?: boolean
  /** Further context, such as CDK feature flags. */
  readonly context?: Readonly<Record<string, unknown>>
}

/**
 * Builds the app with its one stack, not yet synthesised: `createApp(…).synth()` answers the cloud assembly.
 * A fault in the configuration is one line on stderr and ends the process with code 1.
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

/** @throws ConfigurationError naming each setting at fault */
export function buildApp(options: CreateAppOptions = {}): App {
  const { context } = JSON.parse(readFileSync(join(repositoryRoot, 'cdk.json'), 'utf8'))
  const app = new App({
    context: { ...context, ...options.context },
    // Left out of the templates, so that the same source gives the same template on every machine.
    analyticsReporting: false,
    builtinCloudFormationValidation: options.validate ?? true,
    ...(options.outdir !== undefined && { outdir: options.outdir }),
  })
  const config = readConfig(merged(app.node.tryGetContext('mailflow'), options.mailflow))
  const stack = new MailflowStack(app, 'Mailflow', config)
  for (const name of exampleSettings(config))
    Validations.of(stack).addWarning(
      `example-${name}`,
      `mailflow.${name} is still cdk.json's example: change it to deploy`,
    )
  return app
}

/** `--context mailflow=…` gives text, which stays as it is for the parser to refuse. */
function merged(settings: unknown, overrides: CreateAppOptions['mailflow']): unknown {
  return typeof settings === 'object' ? { ...settings, ...overrides } : settings
}
