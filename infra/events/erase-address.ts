import { type IRole, Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import { type Config, reporterOf } from '../config.ts'
import type { MailQueues } from '../queues/mail-queues.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import type { ContentBucket } from '../storage/content-bucket.ts'
import type { EventsBucket } from '../storage/events-bucket.ts'
import type { MessagesTable } from '../storage/messages-table.ts'
import { type Unit, UnitFunction } from '../unit.ts'
import type { AddressHashKey } from './address-hash-key.ts'

export interface EraseAddressProps {
  readonly config: Config
  readonly queues: MailQueues
  readonly content: ContentBucket
  readonly connectors: ConnectorsTable
  readonly messages: MessagesTable
  readonly events: EventsBucket
  readonly hashKey: AddressHashKey
}

/** Erases what is stored of one mail address. */
export class EraseAddress extends Construct {
  readonly handler: UnitFunction

  constructor(scope: Construct, id: string, props: EraseAddressProps) {
    super(scope, id)
    const { config, queues, content, connectors, messages, events, hashKey } = props
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'erase-address',
      description: 'Erases what is stored of one mail address',
      config,
      limits: config.functions.erase,
      // Two Parquet files of a million events.
      memoryMiB: 2048,
      // An erasure may take longer than an invocation.
      allowRecursiveInvocation: true,
    })
    events.grantErasing(this.handler)
    hashKey.grantRead(this.handler)
    content.grantErasing(this.handler)
    messages.grantErasing(this.handler)
    connectors.grantRead(this.handler)
    for (const queue of [...queues.all, queues.events]) queue.grantDeadLetters(this.handler)
    this.handler.addEnvironment('ADDRESS_SETTINGS', JSON.stringify(addressSettings(config)))
    // In the role's own policy, the function and the policy would depend on each other.
    new Policy(this, 'InvokeItself', {
      roles: [this.handler.role as IRole],
      statements: [this.invocation()],
    })
  }

  /** Lets the unit invoke the function. */
  grantInvoke(unit: Unit): void {
    unit.grantPrincipal.addToPrincipalPolicy(this.invocation())
    unit.addEnvironment('ERASE_ADDRESS_FUNCTION_ARN', this.handler.functionArn)
  }

  private invocation(): PolicyStatement {
    return new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [this.handler.functionArn] })
  }
}

/** The settings that are mail addresses, by name. */
function addressSettings(config: Config): Record<string, string> {
  const { postmaster, tlsReportAddress, alarmEmail, summaries } = config
  const lists = { daily: summaries?.daily ?? [], weekly: summaries?.weekly ?? [] }
  return {
    'tlsReporting.address': reporterOf(config).address,
    ...(postmaster !== undefined && { postmaster }),
    ...(tlsReportAddress !== undefined && { tlsReportAddress }),
    ...(alarmEmail !== undefined && { alarmEmail }),
    ...(summaries?.from !== undefined && { 'summaries.from': summaries.from }),
    ...Object.fromEntries(
      Object.entries(lists).flatMap(([list, addresses]) =>
        addresses.map((address, index) => [`summaries.${list}.${index}`, address]),
      ),
    ),
  }
}
