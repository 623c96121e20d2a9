/**
 * Loads a view when it is opened. A deployment replaces the console's files, so a page that is open may ask for a script
 * that no longer exists. Then the page is loaded again, once: the new page names the new scripts.
 */
import { type ComponentType, type LazyExoticComponent, lazy } from 'react'
import { consoleConfigPath } from '../../../shared/contract/console.ts'

/** The script of a view could not be loaded. */
export class ViewNotLoaded extends Error {}

interface ViewModule {
  default: ComponentType
}

const reloadedKey = 'mailflow-reloaded'

export const lazyView = (load: () => Promise<ViewModule>): LazyExoticComponent<ComponentType> =>
  lazy(async () => {
    try {
      const view = await load()
      sessionStorage.removeItem(reloadedKey)
      return view
    } catch {
      if (!(await answersNow()))
        throw new ViewNotLoaded('The console cannot be reached. Check your connection, then reload the page.')
      if (sessionStorage.getItem(reloadedKey) !== null)
        throw new ViewNotLoaded(
          'Its script is missing, also after the page was loaded again. A proxy may keep an old page or block scripts. Reload the page in a minute.',
        )
      sessionStorage.setItem(reloadedKey, location.pathname)
      location.reload()
      // Nothing is shown until the page is loaded again.
      return new Promise<never>(() => {})
    }
  })

/** A page that cannot be loaded again would be lost. */
async function answersNow(): Promise<boolean> {
  try {
    const response = await fetch(consoleConfigPath, { cache: 'no-store' })
    return response.ok
  } catch {
    return false
  }
}
