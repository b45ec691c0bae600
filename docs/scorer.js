/* How the search ranks: Sphinx's numbers, and what its ties leave open. */
"use strict";

var Scorer = {
  score: ([page, title, anchor, description, score]) => {
    const asked = new URLSearchParams(location.search).get("q") ?? "";
    const words = asked.toLowerCase().match(/[\p{L}\d.]{3,}/gu) ?? [];
    // A page whose title has the words goes before one that has them in some section.
    const inTitle = words.filter((word) => title.toLowerCase().includes(word.slice(0, 5)));
    // The changelog and the catalogue of bad input have every word.
    const isList = page.startsWith("project/") || page === "reference/hardening";
    const isSetting = page === "reference/settings" && asked.toUpperCase().startsWith("HOOKKIT_");
    return score + 3 * inTitle.length + (isSetting ? 20 : 0) - (isList ? 8 : 0);
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
