// Refreshes the parts of a page that changed, every two seconds, and submits forms
// without leaving the page. A part stays as it is while the pointer is over it or one
// of its questions is open, so that no button moves away. Without this script every
// form works, and nothing refreshes itself.
'use strict';

const problem = document.getElementById('problem');
const held = document.getElementById('held');
const live = () => document.querySelectorAll('[data-live]');

// showTimes shows times in the reader's zone.
function showTimes(root) {
  for (const time of root.querySelectorAll('time')) {
    const second = 'seconds' in time.dataset ? '2-digit' : undefined;
    time.textContent = new Date(time.dateTime).toLocaleString(undefined, {
      year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second, timeZoneName: 'short',
    });
  }
}

async function load(url, options) {
  const response = await fetch(url, { headers: { Accept: 'text/html' }, ...options });
  const next = new DOMParser().parseFromString(await response.text(), 'text/html');
  showTimes(next);
  return { ok: response.ok, next };
}

// show replaces the parts that differ in next. It keeps the keyboard's focus.
function show(next, now) {
  held.hidden = true;
  for (const part of live()) {
    const fresh = next.getElementById(part.id);
    if (!fresh || fresh.innerHTML === part.innerHTML) continue;
    if (!now && (part.matches(':hover') || part.querySelector('details[open]'))) {
      held.hidden = false;
      continue;
    }
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const row = focused?.closest('li')?.id;
    part.replaceChildren(...fresh.childNodes);
    const again = focused && (document.getElementById(focused.id) ?? document.getElementById(row)?.querySelector('a, button'));
    again?.focus({ preventScroll: true });
  }
}

async function refresh(now) {
  const { ok, next } = await load(location.href);
  if (ok) show(next, now);
}

async function submit(form) {
  const body = new URLSearchParams(new FormData(form));
  const { ok, next } = await load(form.action, { method: 'POST', body });
  problem.textContent = ok ? '' : next.getElementById('text')?.textContent ?? 'That did not work.';
  if (!ok) return;
  if ('clear' in form.dataset) form.reset();
  form.closest('details')?.removeAttribute('open');
  show(next, true);
}

showTimes(document);

if (live().length > 0) {
  document.addEventListener('submit', (event) => {
    if (event.target.method !== 'post') return;
    event.preventDefault();
    submit(event.target).catch(() => { problem.textContent = 'fakeclerk cannot be reached.'; });
  });
  held.addEventListener('click', () => refresh(true).catch(() => {}));
  if (!document.querySelector('script[data-paused]')) {
    setInterval(() => { if (!document.hidden) refresh(false).catch(() => {}); }, 2000);
  }
}

for (const button of document.querySelectorAll('[data-copy]')) {
  button.hidden = !navigator.clipboard;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = 'Copied';
  });
}
