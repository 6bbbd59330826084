package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/scenarios"
)

// wordsOf are what an era told its user in the push of a scene: how many layers went
// through which words, then what was said of the push and how it ended.
func wordsOf(res scenarios.Result) []sent {
	layer := regexp.MustCompile(`^([0-9a-f]{12}): (.*)$`)
	changing := strings.NewReplacer(addressesIn(res)...)
	var ids, lines []string
	words := map[string][]string{}
	for _, text := range res.Said {
		text = shortDigests(changing.Replace(text))
		if m := layer.FindStringSubmatch(text); m != nil {
			if words[m[1]] == nil {
				ids = append(ids, m[1])
			}
			words[m[1]] = append(words[m[1]], m[2])
			continue
		}
		if text = strings.TrimRight(text, "\n"); text != "" {
			lines = append(lines, text)
		}
	}
	var paths []string
	count := map[string]int{}
	for _, id := range ids {
		path := strings.Join(countdown(words[id]), ", ")
		if count[path]++; count[path] == 1 {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths) // layers that wait for each other speak in any order
	var list []sent
	for _, path := range paths {
		list = append(list, sent{key: "layers", line: fmt.Sprintf("%s: %s", plural(count[path], "blob"), path)})
	}
	ending := shortDigests(changing.Replace(res.Ending))
	if n := len(lines); n > 0 && lines[n-1] == ending {
		lines = lines[:n-1]
	}
	for _, line := range lines {
		first, _, _ := strings.Cut(line, " ")
		list = append(list, sent{key: first, line: line})
	}
	return append(list, sent{key: "end", line: "end: " + ending})
}

// addressesIn are the registry's addresses, which are others in each run, and what
// stands for them.
func addressesIn(res scenarios.Result) []string {
	var list []string
	for _, e := range res.Trace {
		if host := e.Request.Host; host != "" && !slices.Contains(list, host) {
			list = append(list, host, "registry")
		}
	}
	return list
}

// shortDigests keeps twelve digits of each digest.
func shortDigests(text string) string {
	return regexp.MustCompile(`(sha256:[0-9a-f]{12})[0-9a-f]{52}`).ReplaceAllString(text, "$1…")
}

// countdown leaves the first and the last of the seconds of a wait.
func countdown(words []string) []string {
	waits := func(i int) bool {
		return i >= 0 && i < len(words) && strings.HasPrefix(words[i], "Retrying in ")
	}
	var list []string
	for i, word := range words {
		if waits(i) && waits(i-1) && waits(i+1) {
			if list[len(list)-1] != "…" {
				list = append(list, "…")
			}
			continue
		}
		list = append(list, word)
	}
	return list
}

// dataOf is what an era's data says beside its known deviations.
func dataOf(era pusher.Era) ([]sent, error) {
	found, err := scenarios.Explain(era.Name)
	if err != nil {
		return nil, broken("", err)
	}
	var list []sent
	for _, e := range found {
		if e.What != "era" {
			continue
		}
		for _, row := range e.Rows {
			if !strings.HasPrefix(row.Doc, "known: ") {
				list = append(list, sent{key: row.Name, line: row.Name + ": " + row.Doc})
			}
		}
	}
	return list, nil
}
