/**
 * Lets a view with unsaved input ask before it is left: by a link of the console, by the browser's buttons, and by closing
 * the page. Must be imported before the router listens.
 */
import type { AroundNavHandler } from 'wouter'

/** Called instead of leaving. */
type Guard = (leave: () => void) => void

let guard: Guard | null = null
let guardedAddress = ''

/** @param next null: the view may be left */
export function setNavigationGuard(next: Guard | null): void {
  guard = next
  guardedAddress = location.href
}

export const guardedNavigation: AroundNavHandler = (navigate, to, options) => {
  if (guard === null) return navigate(to, options)
  guard(() => {
    guard = null
    navigate(to, options)
  })
}

/** The browser has already changed the address: it is put back, so that the view stays. */
addEventListener(
  'popstate',
  (event) => {
    if (guard === null) return
    event.stopImmediatePropagation()
    history.pushState(null, '', guardedAddress)
    guard(() => {
      guard = null
      history.back()
    })
  },
  { capture: true },
)

/** The browser asks with words of its own. */
addEventListener('beforeunload', (event) => {
  if (guard !== null) event.preventDefault()
})
