/** The parameters of Exchange Online's cmdlets for connectors, from their reference pages at learn.microsoft.com. */
const shared = ['Name', 'CloudServicesMailEnabled', 'Comment', 'Confirm', 'ConnectorSource', 'ConnectorType']
const inbound = [
  ...shared,
  ...['Enabled', 'SenderDomains', 'AssociatedAcceptedDomains', 'EFSkipIPs', 'EFSkipLastIP', 'EFUsers'],
  ...['RequireTls', 'RestrictDomainsToCertificate', 'RestrictDomainsToIPAddresses', 'SenderIPAddresses'],
  ...['TlsSenderCertificateName', 'TreatMessagesAsInternal', 'TrustedOrganizations', 'WhatIf'],
]
const outbound = [
  ...shared,
  ...['Enabled', 'AllAcceptedDomains', 'IsTransportRuleScoped', 'RecipientDomains'],
  ...['RouteAllMessagesViaOnPremises', 'SenderRewritingEnabled', 'SmartHosts', 'TestMode'],
  ...['TlsDomain', 'TlsSettings', 'UseMXRecord', 'WhatIf'],
]
const parameters: Readonly<Record<string, readonly string[]>> = {
  'ConvertTo-Json': ['AsArray', 'Compress', 'Depth', 'EnumsAsStrings', 'EscapeHandling', 'InputObject'],
  'Get-AcceptedDomain': ['Identity', 'ResultSize'],
  'Get-InboundConnector': ['Identity', 'ResultSize'],
  'Get-OutboundConnector': ['Identity', 'IncludeTestModeConnectors', 'IsTransportRuleScoped', 'ResultSize'],
  'New-InboundConnector': inbound,
  'New-OutboundConnector': [...outbound, 'MtaStsMode', 'SmtpDaneMode'],
  'Out-File': ['Append', 'Encoding', 'FilePath', 'Force', 'NoClobber', 'NoNewline', 'Width'],
  'Set-InboundConnector': ['Identity', ...inbound],
  'Set-OutboundConnector': [
    'Identity',
    ...['IsValidated', 'LastValidationTimestamp', 'ValidationRecipients', ...outbound],
  ],
  'Set-OrganizationConfig': ['RejectDirectSend'],
}

/**
 * @param text commands, one a line or several in a pipeline; a backtick continues a line
 * @returns each cmdlet with its parameters, and those that the cmdlet does not have
 */
export function cmdletsIn(text: string): { cmdlet: string; used: string[]; unknown: string[] }[] {
  return text
    .replaceAll(/`\n/g, ' ')
    .split(/[\n|]/)
    .flatMap((command) => {
      const [, cmdlet = '', rest = ''] =
        /^((?:New|Set|Get|ConvertTo|Out)-\w+)(?: (.*))?$/.exec(command.trim()) ?? []
      if (cmdlet === '') return []
      const used = [...rest.replaceAll(/"[^"]*"/g, '').matchAll(/(?<=^|\s)-([A-Za-z]\w*)/g)].map(
        ([, name = '']) => name,
      )
      return [{ cmdlet, used, unknown: used.filter((name) => !parameters[cmdlet]?.includes(name)) }]
    })
}
