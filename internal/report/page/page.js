'use strict';
(() => {
  const cellsOf = (table) => [...table.querySelectorAll('tbody tr')]
    .filter((row) => row.offsetParent !== null && !row.classList.contains('group'))
    .map((row) => [...row.querySelectorAll('td')].map((td) => td.querySelector('a.v')));

  // Of the links of a table one is a tab stop; the arrow keys go to the others.
  const enter = (table, link) => {
    const before = table.querySelector('a.v[tabindex="0"]');
    if (before) before.tabIndex = -1;
    link.tabIndex = 0;
  };
  const tables = [...document.querySelectorAll('.scroll table')];
  for (const table of tables) {
    const links = [...table.querySelectorAll('a.v')];
    links.forEach((a) => { a.tabIndex = -1; });
    if (links.length > 0) {
      links[0].tabIndex = 0;
      table.parentElement.removeAttribute('tabindex');
    }
    table.addEventListener('focusin', (event) => {
      if (event.target.matches('a.v')) enter(table, event.target);
    });
    table.addEventListener('keydown', (event) => move(table, event));
  }

  const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
  const move = (table, event) => {
    if (!event.target.matches('a.v') || event.altKey || event.ctrlKey || event.metaKey) return;
    const grid = cellsOf(table);
    let r = grid.findIndex((row) => row.includes(event.target));
    if (r < 0) return;
    let c = grid[r].indexOf(event.target);
    let next = null;
    if (event.key in steps) {
      const [dr, dc] = steps[event.key];
      for (r += dr, c += dc; grid[r] && c >= 0 && c < grid[r].length; r += dr, c += dc) {
        if (grid[r][c]) { next = grid[r][c]; break; }
      }
    } else if (event.key === 'Home') {
      next = grid[r].find(Boolean);
    } else if (event.key === 'End') {
      next = [...grid[r]].reverse().find(Boolean);
    } else {
      return;
    }
    event.preventDefault();
    if (next) {
      next.focus({ preventScroll: true });
      next.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    }
  };

  // The evidence of a large page is packed: gzip in base64, a part for each article.
  const pack = document.getElementById('pack');
  const articles = [...document.querySelectorAll('article')];
  let parts = null;
  const unpack = async () => {
    const bytes = Uint8Array.from(atob(pack.textContent), (c) => c.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return (await new Response(plain).text()).split('\0');
  };
  const fill = async (article) => {
    if (!pack || article.firstChild) return;
    const part = document.createElement('template');
    try {
      parts ??= unpack();
      part.innerHTML = (await parts)[articles.indexOf(article)];
    } catch (err) {
      part.content.append(`This browser cannot unpack what is behind the cell (${err}). Esc closes this.`);
    }
    if (!article.firstChild) article.append(part.content);
  };

  const open = () => document.querySelector('article:target');
  let at = null; // the fragment that was seen to last: Esc does not wait for the event
  const shown = () => {
    if (location.hash === at) return;
    at = location.hash;
    const article = open();
    document.body.classList.toggle('opened', Boolean(article));
    if (article) {
      fill(article);
      article.scrollTop = 0;
      article.focus({ preventScroll: true });
    } else {
      const cell = location.hash && document.getElementById(location.hash.slice(1));
      if (cell && cell.matches('a.v')) cell.focus({ preventScroll: true });
    }
  };
  window.addEventListener('hashchange', shown);
  document.addEventListener('keydown', (event) => {
    const article = open();
    if (event.key !== 'Escape' || !article) return;
    location.hash = article.id.slice(1);
    shown();
  });
  window.addEventListener('load', shown); // a link may have led to what is behind a cell

  const buttons = [...document.querySelectorAll('button[data-only]')];
  for (const button of buttons) {
    button.addEventListener('click', () => {
      const on = button.getAttribute('aria-pressed') !== 'true';
      buttons.forEach((b) => b.setAttribute('aria-pressed', String(on && b === button)));
      const only = on ? button.dataset.only : '';
      for (const td of document.querySelectorAll('td[data-v]')) td.classList.toggle('off', only !== '' && td.dataset.v !== only);
      for (const body of document.querySelectorAll('.scroll tbody')) {
        let any = false;
        for (const row of body.querySelectorAll('tr:not(.group)')) {
          row.hidden = only !== '' && ![...row.querySelectorAll('td[data-v]')].some((td) => td.dataset.v === only);
          any = any || !row.hidden;
        }
        body.hidden = !any;
      }
      for (const table of tables) {
        const first = cellsOf(table).flat().find(Boolean);
        if (first) enter(table, first);
      }
    });
  }
  document.documentElement.classList.add('scripted');
})();
