/** `doctor`: compares the account's quotas with the settings of a deployment. */
import { ConfigurationError, deliversInVpc, readConfig } from '../../infra/config.ts'
import { environmentSettings } from '../../infra/environment-settings.ts'
import { requiredQuotas } from '../../infra/required-quotas.ts'
import { errorMessage } from '../../shared/contract/error-message.ts'
import { defineCommand, jsonOption } from '../command.ts'
import { CommandError, exitStatus } from '../command-error.ts'
import { readDualStackTasks, readQuota, readSesAccount } from '../doctor/account-facts.ts'
import {
  assessDualStackTasks,
  assessPort25,
  assessQuota,
  assessSes,
  type Finding,
} from '../doctor/assess-account.ts'
import { readText } from '../input/read-file.ts'
import { jsonText, printable } from '../text/format.ts'

export const doctor = defineCommand({
  usesApi: false,
  options: {
    settings: {
      type: 'string',
      value: 'FILE',
      description: 'the settings of the deployment (default: cdk.json)',
    },
    env: {
      type: 'string',
      value: 'NAME',
      description: 'the environment, as in cdk deploy -c env=NAME',
    },
    region: { type: 'string', value: 'REGION', description: 'the AWS region (default: AWS_REGION)' },
    ...jsonOption,
  },
  details: `
With AWS credentials and a region, the command reads the quotas of the account, which needs the permissions
servicequotas:GetServiceQuota, servicequotas:GetAWSDefaultServiceQuota and ses:GetAccount, and with ingress.ipv6 also
ecs:ListAccountSettings. Otherwise it prints what the settings need. It changes nothing.

LOW names a quota or setting that is too low, and the command that raises it; the exit status is then 1. The numbers
are those of this deployment alone: other resources of the account count towards the same quotas. To deploy, a principal
needs the roles of "cdk bootstrap" (sts:AssumeRole of cdk-*).
`,
  async run({ values, io }) {
    const { text, name } = await readText(values.settings ?? 'cdk.json', io)
    const config = settingsOf(text, name, values.env)
    const region = values.region ?? io.env.AWS_REGION ?? io.env.AWS_DEFAULT_REGION
    const { access, reason } = await accessTo(region, io.env)
    const quotas = requiredQuotas(config)
    const findings = await Promise.all([
      ...quotas.map(async (quota) => assessQuota(quota, access && (await readQuota(quota, access)))),
      (async () => assessSes(config.defaultRoute === 'Ses', access && (await readSesAccount(access))))(),
    ])
    if (config.ingress.ipv6) findings.push(assessDualStackTasks(access && (await readDualStackTasks(access))))
    findings.push(assessPort25(deliversInVpc(config)))
    if (reason !== null) io.err(`The account was not read: ${printable(reason)}.\n`)
    io.out(values.json ? jsonText(findings) : findings.map(lineOf).join(''))
    return findings.some(({ result }) => result === 'LOW') ? exitStatus.failure : exitStatus.ok
  },
})

/** @throws CommandError for a file without valid settings */
function settingsOf(text: string, name: string, environment: string | undefined) {
  try {
    const { context } = JSON.parse(text) as { context?: { mailflow?: unknown } }
    return readConfig(environmentSettings(context?.mailflow, environment))
  } catch (error) {
    throw new CommandError(
      error instanceof ConfigurationError
        ? error.message.replace('cdk.json', name)
        : `${name} is not JSON: ${errorMessage(error)}`,
    )
  }
}

async function accessTo(region: string | undefined, env: Readonly<Record<string, string | undefined>>) {
  if (region === undefined) return { access: null, reason: 'no region; give --region or AWS_REGION' }
  const { awsCredentials } = await import('../api/sign-request.ts')
  try {
    await awsCredentials()
    return { access: { region, env }, reason: null }
  } catch (error) {
    return { access: null, reason: errorMessage(error) }
  }
}

const lineOf = ({ result, name, text }: Finding): string =>
  `${printable(`${result.padEnd(4)}  ${name.padEnd(nameWidth)}  ${text}`)}\n`

const nameWidth = 52
