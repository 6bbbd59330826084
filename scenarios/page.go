package scenarios

import (
	"fmt"
	"strings"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// FormatPage is the page of docs about the file format, in Markdown: every key with
// its sentence, made of the decoder's tables.
func FormatPage() string {
	var b strings.Builder
	b.WriteString(formatHead)
	for _, block := range documentedBlocks() {
		fmt.Fprintf(&b, "\n## %s\n\n", strings.ToUpper(block.name[:1])+block.name[1:])
		fmt.Fprintf(&b, "Where: %s.\n", code(block.at))
		if block.name == "fault" {
			b.WriteString("The fault's own parameters are in [faults.md](faults.md).\n")
		}
		b.WriteString("\n| key | takes | means |\n|---|---|---|\n")
		for _, k := range block.keys {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.name, cell(k.shape.text), cell(k.doc))
		}
	}
	b.WriteString(formatSame)
	b.WriteString("\n## Operations\n\nOne vocabulary for faults, expectations, reports and coverage. `upload.*` is a glob, `any` every\nrequest; `@` adds an answer: a status, a class such as `5xx`, or one of ")
	b.WriteString(strings.Join(wire.FailureNames(), ", ") + ".\n\n| operation | is |\n|---|---|\n")
	for _, op := range opDocs {
		fmt.Fprintf(&b, "| `%s` | %s |\n", op.name, cell(op.doc))
	}
	b.WriteString("\n## Invariants\n\nThey hold of every push, whatever a file expects, unless it waives them.\n\n| invariant | demands |\n|---|---|\n")
	for _, v := range invariants() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", v.name, cell(v.doc))
	}
	b.WriteString("\n## Quirks\n\nOf `kind: fake`, below `registry.quirks`.\n\n| quirk | does |\n|---|---|\n")
	for _, q := range quirkList() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", q.Name, cell(q.Doc))
	}
	return b.String()
}

// formatSame says what the same seed makes the same, and what it does not.
const formatSame = `
## The same seed

A builtin era against registries of the bench runs in memory and on virtual time: the same file
and seed give the same trace, byte for byte, with the same times and numbers of connections.
Layers that are pushed at once begin their requests in turn. What a client writes is taken when
the registry reads it, so that a fault decides how much of a body goes out; a body that is cut
tells of the piece that was on its way as well. How a connection broke is told by who read of it,
and an answer that came early lets go of a body once nobody will read more of it.

Left to chance, and not part of a trace's text: upload sessions, tokens and certificates, which
a trace writes as words, and the order of progress lines of layers that are pushed at once. Over
HTTP/2, which a registry speaks only where a fault makes it, so is how much of a body was on its
way when its stream ended. A kept connection on which a registry sent more than it had announced
(` + "`long-body`" + `) may or may not be used once more before that is noticed.

With programs of others, with a registry of somebody else's, and under ` + "`pushcheck serve`" + ` and
` + "`proxy`" + `, the machine's own network and clock are used: there the kernel decides how much of a body
goes out before ` + "`reset`" + `, ` + "`close`" + ` and ` + "`half-close`" + ` are felt and in which words, how long a client waits
under ` + "`accept-stall`" + `, and which of two connections is first. The faults still count and draw as the
seed has it, by operation and digest.
`

const formatHead = `# The scenario format

This page is made of the tables that the decoder reads files by; ` + "`pushcheck explain KEY`" + ` says the
same of one key, ` + "`pushcheck schema`" + ` to an editor. A file is one scenario: a registry, an image, a
client, what goes wrong, and what must be seen.

    scenario: A blob upload that is cut goes on where it was
    client: {era: best, chunk: 1MiB}
    image: {layers: [4MiB]}
    push: team/app:v1
    faults:
      - reset: {op: upload.patch, digest: layer1}
        after: 512KiB
        nth: 2
    expect:
      result: pushed
      count: {upload.start: "<= 2"}

Content is named by what it is: ` + "`layer1`" + ` and so on, the bottom one first, ` + "`config`, `manifest`" + `; a digest may
stand wherever a name may. Sizes, times and rates have units. ` + "`${NAME}` and `${NAME:-default}`" + ` are
environment variables within a text, ` + "`${{ axis }}`" + ` is a value of the matrix, in place of a whole value.
Anchors, merge keys, tags and further documents are refused, unknown keys too.
`

// FaultsPage is the page of docs about the catalogue of faults, in Markdown.
func FaultsPage() string {
	var b strings.Builder
	kinds := fakeregistry.Kinds()
	fmt.Fprintf(&b, `# The %d faults

This page is made of the catalogue; `+"`pushcheck explain FAULT`"+` says the same of one of them. A fault in
a file is its name, where it strikes (its usual place unless given), its parameters, and when it
strikes: see [scenario-format.md](scenario-format.md#fault). The seam says where it takes hold: *conn*
before HTTP, *request* after a request was parsed, *storage* inside the registry. In front of a
registry of somebody else's the first two exist.
`, len(kinds))
	layer := ""
	for _, k := range kinds {
		if k.Layer != layer {
			layer = k.Layer
			fmt.Fprintf(&b, "\n## %s\n", strings.ToUpper(layer[:1])+layer[1:])
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\nStrikes at %s; seam %s.\n", k.Name, k.Doc, code(strings.Join(k.Where, "`, `")), k.Seam)
		if len(k.Params) == 0 {
			continue
		}
		b.WriteString("\n| parameter | takes | unless given | means |\n|---|---|---|---|\n")
		for _, p := range k.Params {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", p.Name, cell(paramShape(p).text), cell(formatDefault(p)), cell(p.Doc))
		}
	}
	return b.String()
}

func code(s string) string { return "`" + s + "`" }

// cell is a text as a cell of a Markdown table has it.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s) }
