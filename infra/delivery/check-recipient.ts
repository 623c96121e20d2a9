import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import type { Config } from '../config.ts'
import type { ConnectorsTable } from '../storage/connectors-table.ts'
import type { TransportTable } from '../storage/transport-table.ts'
import { type Unit, UnitFunction } from '../unit.ts'
import type { OutboundMail } from './outbound-mail.ts'

export interface CheckRecipientProps {
  readonly config: Config
  readonly outboundMail: OutboundMail
  readonly connectors: ConnectorsTable
  readonly transport: TransportTable
}

/**
 * Checks recipients at their mailbox server, from the network that deliveries use. Monitoring has no alarm of its own
 * for it: a failed or throttled invocation is a failed check of the ingress.
 */
export class CheckRecipient extends Construct {
  readonly handler: UnitFunction

  constructor(scope: Construct, id: string, props: CheckRecipientProps) {
    super(scope, id)
    const { config, outboundMail } = props
    this.handler = new UnitFunction(this, 'Function', {
      unit: 'check-recipient',
      description: 'Checks at its mailbox server whether a recipient exists',
      config,
      limits: config.functions.check,
      ...outboundMail.placement,
    })
    props.connectors.grantSnapshot(this.handler)
    props.transport.grantPolicies(this.handler)
    outboundMail.grantSessions(this.handler)
  }

  /** Lets the unit invoke the function. */
  grantInvoke(unit: Unit): void {
    const { functionArn } = this.handler
    unit.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [functionArn] }),
    )
    unit.addEnvironment('CHECK_RECIPIENT_FUNCTION_ARN', functionArn)
  }
}
