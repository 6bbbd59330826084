package scenarios

import (
	"regexp"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// DecodeAdapter reads one adapter file. name is shown in messages.
//
// Errors: *Errors with every problem of the file.
func DecodeAdapter(name string, src []byte) (Adapter, error) {
	a, problems := decodeAdapter(name, src)
	if len(problems) > 0 {
		return Adapter{}, &Errors{sortProblems(problems)}
	}
	return a, nil
}

func decodeAdapter(name string, src []byte) (Adapter, []Problem) {
	d := &decoder{file: name, lines: strings.Split(string(src), "\n"), positions: map[string]Position{}}
	if strings.TrimSpace(string(src)) == "" {
		d.fail(span{1, 1, 1}, "", `the file is empty; an adapter begins with "client:" and a name`)
		return Adapter{}, d.problems
	}
	root := parse(src, func(at span, message string) { d.fail(at, "", "%s", message) })
	if root == nil {
		return Adapter{}, d.problems
	}
	if root.kind != nodeMap {
		d.fail(root.at, "", `the file is %s; an adapter is a map that begins with "client:" and a name`, nodeText[root.kind])
		return Adapter{}, d.problems
	}
	var a Adapter
	d.block(root, "adapter", "", d.adapterFields(&a))
	a.Position = d.positions["client"]
	if len(d.problems) == 0 {
		d.checkAdapter(root, a)
	}
	return a, d.problems
}

func (d *decoder) adapterFields(a *Adapter) []field {
	return []field{
		{"client", func(v *node) { a.Name = d.clientWord(v) }},
		{"about", func(v *node) { a.About = d.plainText(v, "about") }},
		{"get", func(v *node) { a.Get = d.plainText(v, "get") }},
		{"version", func(v *node) { a.Version = d.words(v, "version") }},
		{"can", func(v *node) { a.Can = d.abilities(v) }},
		{"push", func(v *node) { a.Push = d.words(v, "push") }},
		{"shim", func(v *node) { a.Shim = d.words(v, "shim") }},
		{"prepare", func(v *node) {
			for _, item := range d.list(v, "prepare") {
				a.Prepare = append(a.Prepare, d.words(item, "prepare"))
			}
		}},
		{"env", func(v *node) { a.Env = d.templates(v, "env") }},
		{"service", func(v *node) { a.Service = d.service(v) }},
		{"plain", func(v *node) { a.Plain = d.words(v, "plain") }},
		{"insecure", func(v *node) { a.Insecure = d.words(v, "insecure") }},
		{"login", func(v *node) { a.Login = d.loginWay(v) }},
		{"ca", func(v *node) { a.CA = d.caWay(v) }},
		{"errors", func(v *node) { a.Errors = d.wordings(v) }},
		{"progress", func(v *node) {
			d.block(v, "progress", "progress", []field{
				{"pushed", func(v *node) { a.Pushed = d.regexp(v, "pushed", 1) }},
				{"exists", func(v *node) { a.Exists = d.regexp(v, "exists", 1) }},
			})
		}},
		{"known", func(v *node) { a.Known = d.habits(v) }},
	}
}

// clientWord reads the name of a client: one that is no era.
func (d *decoder) clientWord(n *node) string {
	name := d.plainText(n, "client")
	switch {
	case name == "":
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "":
		d.fail(n.at, "", "client %q has other characters than a-z, 0-9, dot, dash and underscore", name)
	case slices.Contains(allEras(), name):
		d.fail(n.at, "", "client %q is the name of an era", name)
	}
	return name
}

// plainText reads a text as it stands: environment variables are not put in.
func (d *decoder) plainText(n *node, what string) string {
	if n.kind == nodeNull || n.kind == nodeMap || n.kind == nodeList {
		d.fail(n.at, "", "%s is %s; want a text", what, nodeText[n.kind])
		return ""
	}
	if strings.TrimSpace(n.text) == "" {
		d.fail(n.at, "", "%s is empty", what)
	}
	return n.text
}

// template reads a text in which the variables of adapters may stand.
func (d *decoder) template(n *node, what string) string {
	text := d.plainText(n, what)
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "${")
		if !found {
			return text
		}
		name, tail, closed := strings.Cut(after, "}")
		switch {
		case !closed:
			d.fail(n.at, "", "${%s has no closing brace", after)
			return text
		case !slices.Contains(variableNames(), name):
			d.fail(n.at, "the variables are: "+strings.Join(variableNames(), ", "), "${%s} is not a variable of adapters%s", name, didYouMean(name, variableNames()))
		case name == "ARGS" && text != "${ARGS}":
			d.fail(n.at, "", "${ARGS} stands for several words and must be one alone")
		}
		rest = tail
	}
}

// words reads a command, or a part of one.
func (d *decoder) words(n *node, what string) []string {
	if n.kind != nodeList {
		d.fail(n.at, "", "%s is %s; want a list of words, such as [skopeo, --version]", what, nodeText[n.kind])
		return nil
	}
	list := make([]string, 0, len(n.items))
	for _, item := range n.items {
		list = append(list, d.template(item, what))
	}
	if len(list) == 0 {
		d.fail(n.at, "", "%s is an empty list", what)
	}
	return list
}

func (d *decoder) templates(n *node, what string) map[string]string {
	if n.kind != nodeMap {
		d.fail(n.at, "", "%s is %s; want a map", what, nodeText[n.kind])
		return nil
	}
	m := map[string]string{}
	for _, e := range n.entries {
		if !validVariable(e.key) {
			d.fail(e.at, "", "%q is not the name of an environment variable", e.key)
		}
		m[e.key] = d.template(e.value, what+" "+e.key)
	}
	return m
}

func (d *decoder) abilities(n *node) []string {
	items := []*node{n}
	if n.kind == nodeList {
		items = n.items
	}
	var list []string
	for _, item := range items {
		one := d.plainText(item, "can")
		list = append(list, one)
		if one != "" && !slices.Contains(AdapterAbilities(), one) {
			d.fail(item.at, "can takes: "+strings.Join(AdapterAbilities(), ", "), "%q is not an ability%s", one, didYouMean(one, AdapterAbilities()))
		}
	}
	return list
}

func (d *decoder) service(n *node) *Service {
	s := &Service{}
	d.block(n, "service", "service", []field{
		{"run", func(v *node) { s.Run = d.words(v, "run") }},
		{"ready", func(v *node) { s.Ready = d.words(v, "ready") }},
		{"instead", func(v *node) { s.Instead = d.plainText(v, "instead") }},
	})
	if n.kind == nodeMap && (len(s.Run) == 0 || len(s.Ready) == 0) {
		d.fail(n.at, "", "a service has run: the command that it is, and ready: one that succeeds once it can be used")
	}
	return s
}

// loginWay reads how to log in: arguments, a command, or "config".
func (d *decoder) loginWay(n *node) LoginWay {
	if n.kind == nodeString {
		if text := d.plainText(n, "login"); text != "config" && text != "" {
			d.fail(n.at, "", `login is %q; want arguments or a command as a list, or "config" for the file that docker keeps logins in`, text)
		}
		return LoginWay{Config: true}
	}
	list := d.words(n, "login")
	if len(list) > 0 && !strings.HasPrefix(list[0], "-") {
		return LoginWay{Run: list}
	}
	return LoginWay{Args: list}
}

func (d *decoder) caWay(n *node) CAWay {
	var c CAWay
	d.block(n, "ca", "ca", []field{
		{"dir", func(v *node) { c.Dir = d.plainText(v, "dir") }},
		{"file", func(v *node) { c.File = d.plainText(v, "file") }},
		{"env", func(v *node) { c.Env = d.plainText(v, "env") }},
	})
	set := 0
	for _, v := range []string{c.Dir, c.File, c.Env} {
		if v != "" {
			set++
		}
	}
	if n.kind == nodeMap && set != 1 {
		d.fail(n.at, "", "ca has one of dir: a flag for a folder, file: a flag for a file, env: a variable with the file's name")
	}
	return c
}

// wordings reads a client's words for the registry's codes.
func (d *decoder) wordings(n *node) []Wording {
	if n.kind != nodeMap {
		d.fail(n.at, "", "errors is %s; want a map from codes to patterns", nodeText[n.kind])
		return nil
	}
	var codes []string
	for _, c := range fakeregistry.Codes() {
		codes = append(codes, string(c))
	}
	var list []Wording
	for _, e := range n.entries {
		if !slices.Contains(codes, e.key) {
			d.fail(e.at, "the codes are: "+strings.Join(codes, ", "), "%q is not a code of the registry API%s", e.key, didYouMean(e.key, codes))
		}
		list = append(list, Wording{Code: e.key, Pattern: d.regexp(e.value, e.key, 0)})
	}
	return list
}

// regexp reads a regular expression with at least so many groups.
func (d *decoder) regexp(n *node, what string, groups int) string {
	text := d.plainText(n, what)
	re, err := regexp.Compile(text)
	switch {
	case err != nil:
		d.fail(n.at, "", "%s is not a regular expression: %v", what, err)
	case text != "" && re.NumSubexp() < groups:
		d.fail(n.at, "", "%s has no group; the first one is the layer's digest, as in \"blob sha256:([0-9a-f]+) done\"", what)
	}
	return text
}

// checkAdapter checks what no single key shows.
func (d *decoder) checkAdapter(root *node, a Adapter) {
	switch {
	case a.Name == "":
		d.fail(root.at, "", `there is no "client:", the name by which scenarios call it`)
	case len(a.Push) == 0 && len(a.Shim) == 0:
		d.fail(root.at, "", `there is neither "push:", the command that pushes, nor "shim:"`)
	case len(a.Push) > 0 && len(a.Shim) > 0:
		d.fail(root.at, "", "there are both push and shim; a shim pushes itself")
	case len(a.Shim) == 0 && len(a.Version) == 0:
		d.fail(root.at, "", `there is no "version:", the command that prints the client's version`)
	case len(a.Push) > 0 && !slices.ContainsFunc(a.Push, func(w string) bool {
		return strings.Contains(w, "${REF}") || strings.Contains(w, "${HOST}") || strings.Contains(w, "${TAG}")
	}):
		d.fail(root.at, "", "push does not say where to: none of its words has ${REF}, or ${HOST} and the rest")
	case slices.Contains(a.Can, "ca") && a.CA == (CAWay{}) && len(a.Shim) == 0:
		d.fail(root.at, "", "it can be told of a certificate authority, but there is no \"ca:\" that says how")
	}
}
