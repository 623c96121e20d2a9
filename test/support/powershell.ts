/** The parameters of Exchange Online's cmdlets for connectors, from their reference pages at learn.microsoft.com. */
const shared = ['Name', 'CloudServicesMailEnabled', 'Comment', 'Confirm', 'ConnectorSource', 'ConnectorType']
const parameters: Readonly<Record<string, readonly string[]>> = {
  'New-InboundConnector': [
    ...shared,
    ...['Enabled', 'SenderDomains', 'AssociatedAcceptedDomains', 'EFSkipIPs', 'EFSkipLastIP', 'EFUsers'],
    ...['RequireTls', 'RestrictDomainsToCertificate', 'RestrictDomainsToIPAddresses', 'SenderIPAddresses'],
    ...['TlsSenderCertificateName', 'TreatMessagesAsInternal', 'TrustedOrganizations', 'WhatIf'],
  ],
  'New-OutboundConnector': [
    ...shared,
    ...['Enabled', 'AllAcceptedDomains', 'IsTransportRuleScoped', 'MtaStsMode', 'RecipientDomains'],
    ...['RouteAllMessagesViaOnPremises', 'SenderRewritingEnabled', 'SmartHosts', 'SmtpDaneMode', 'TestMode'],
    ...['TlsDomain', 'TlsSettings', 'UseMXRecord', 'WhatIf'],
  ],
  'Set-OrganizationConfig': ['RejectDirectSend'],
}

/**
 * @param text commands, one a line; a backtick continues a line
 * @returns each cmdlet with its parameters, and those that the cmdlet does not have
 */
export function cmdletsIn(text: string): { cmdlet: string; used: string[]; unknown: string[] }[] {
  return text
    .replaceAll(/`\n/g, ' ')
    .split('\n')
    .flatMap((line) => {
      const [, cmdlet = '', rest = ''] = /^((?:New|Set)-\w+) (.*)$/.exec(line.trim()) ?? []
      if (cmdlet === '') return []
      const used = [...rest.replaceAll(/"[^"]*"/g, '').matchAll(/(?<=^|\s)-([A-Za-z]\w*)/g)].map(
        ([, name = '']) => name,
      )
      return [{ cmdlet, used, unknown: used.filter((name) => !parameters[cmdlet]?.includes(name)) }]
    })
}
