import { commands, loadCommand } from '../../cli/commands.ts'
import { commandHelp, generalHelp } from '../../cli/help.ts'
import { page } from './markdown.ts'

const block = (text: string): string => `\`\`\`text\n${text.trim()}\n\`\`\``

const loadedCommands = await Promise.all(commands.map(loadCommand))

export const commandsPage = (): string =>
  page(
    'Commands',
    '`cli/`',
    'The output of `npx mailflow --help` and `npx mailflow COMMAND --help`. [The command line](../command-line.md) describes the use of each command.',
    block(generalHelp(commands)),
    ...loadedCommands.map((command) => `## ${command.name}\n\n${block(commandHelp(command))}`),
  )
