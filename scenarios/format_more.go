package scenarios

// triggerDocs are the keys that every fault takes: when it strikes.
func triggerDocs() []formatKey {
	return []formatKey{
		{"nth", shape{"a whole number, or each", either(wholeShape(1, 0).schema, map[string]any{"const": "each"})}, "Only the nth matching request; each runs the scenario again and again, with the first, the second and so on."},
		{"times", wholeShape(1, 0), "At most so many times."},
		{"every", wholeShape(1, 0), "Each so manyth matching request."},
		{"chance", shape{"more than 0% and at most 100%, such as 15%", scalar(map[string]any{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, matching(`^ *[0-9.]+(e-?[0-9]+)? *%? *$`))}, "How likely it is, drawn from the seed by a stream of the fault's own."},
		{"per", oneOfShape("run", "connection", "digest", "repository"), "The scope in which nth, times and every count; the run unless given. Of connections, digests and repositories the last 4096 at least are remembered: one that comes again after so many others is counted anew."},
		{"after-event", textShape(), "Only after such an exchange, event or fault: upload.put@201, restart, the name of a fault."},
		{"until", textShape(), "Only until such an exchange, event or fault."},
		{"optional", boolShape(), "Whether it need not strike."},
		{"note", textShape(), "What the report shows beside it."},
	}
}

func whereKeys() []formatKey {
	return []formatKey{
		{"op", shape{"an operation or a list of them", either(ref("operation"), listOf(ref("operation")))}, "The operations at which it strikes: upload.*, any, blob.head@200."},
		{"host", textShape(), "The host: host1 for the first of the scenario's."},
		{"repo", textShape(), "The repository, or a glob."},
		{"tag", textShape(), "The tag."},
		{"digest", textShape(), "The content: layer1, config, manifest or a digest."},
		{"media", textShape(), "The media type of the request: schema1, schema2, oci, list, index or in full."},
		{"client", textShape(), "The client."},
		{"header", textShape(), `A header: "Name" or "Name: value", in which * stands for anything.`},
		{"path", textShape(), "A regular expression over the path."},
		{"method", textShape(), "The method."},
		{"attempt", wholeShape(1, 0), "Which of the client's attempts at the same thing."},
	}
}

func expectKeys() []formatKey {
	events := blocksShape("a list of events", "event")
	return []formatKey{
		{"result", oneOfShape(ResultPushed, ResultFailed, ResultCancelled, ResultTruthful), "How the push ends; pushed unless given. truthful takes any ending that is told as it was."},
		{"error", textShape(), "A code of the registry API as the client words it, or a part of the error's text."},
		{"exit", wholeShape(0, 255), "The client's exit code."},
		{"via", oneOfShape("v1", "v2"), "The protocol by which it was pushed."},
		{"within", timeShape(), "How much of its own time the push may take."},
		{"wire", events, "Exchanges in this order; others may lie between."},
		{"wire-exactly", events, "Exchanges in this order, and no others."},
		{"never", events, "Exchanges that must not be seen."},
		{"count", shape{`a map from operations to 2, "<= 3" or 1..3`, map[string]any{"type": "object", "propertyNames": ref("operation"), "additionalProperties": rangeShape(plain).schema}}, "How often something is seen. What never got as far as HTTP is no request of its operation, for the registry never saw one: it counts as dns, connect or tls, and by its operation only with that answer, as in ping@tls."},
		{"registry", blockShape("a map", "expect.registry"), "What the registry holds in the end."},
		{"progress", shape{"a map from layers to beginnings of lines", map[string]any{
			"type": "object", "propertyNames": matching("^(layer[0-9]*|config|lines|never)"), "additionalProperties": textsShape().schema,
		}}, "What the client shows of each layer, in order; lines are about the push, never must not be shown."},
		{"cache", textMapShape("a map from layers to known, absent or an entry"), "What the client's digest cache holds in the end."},
		{"waive", shape{"a map from invariants to reasons", map[string]any{"type": "object", "propertyNames": map[string]any{"enum": InvariantNames()}, "additionalProperties": ref("text")}}, "Invariants that may break here, each with a reason."},
	}
}

func eventKeys() []formatKey {
	return []formatKey{
		{"status", shape{"a status, a class, or how it failed: 202, 2xx, reset", ref("text")}, "The answer."},
		{"digest", textShape(), "The content that it is about."},
		{"repo", textShape(), "The repository."},
		{"tag", textShape(), "The tag."},
		{"media", textShape(), "The media type of the body: schema1, schema2, oci or in full."},
		{"host", textShape(), "The host: host1 for the first of the scenario's."},
		{"bytes", rangeShape(bytesQuantity), "How long the body of the request is."},
		{"from", rangeShape(bytesQuantity), "Where in its blob the body begins."},
		{"range", textShape(), "The Range of the answer: 0-1048575, or 0-1048575..1572863."},
		{"gap", rangeShape(timeQuantity), "How much time lies between the end of the matched event before and this one."},
		{"auth", oneOfShape("none", "basic", "bearer", "token"), "How the request says who it is from."},
		{"header", shape{`"Name: value", "Name", or a map in which nothing means absent`, either(ref("text"), map[string]any{"type": "object"})}, "A header of the request."},
		{"answer-header", shape{`"Name: value", "Name", or a map in which nothing means absent`, either(ref("text"), map[string]any{"type": "object"})}, "A header of the answer; * in its value stands for anything."},
		{"answer-body", textShape(), "A part of the answer's body, of which the beginning is kept."},
	}
}

func stateKeys() []formatKey {
	states := func(words ...string) map[string]any {
		return map[string]any{"type": "object", "additionalProperties": oneOfShape(words...).schema}
	}
	return []formatKey{
		{"tags", shape{"a map from tags, or repository:tag, to a state", states(tagStates...)}, "What each tag names: what was pushed, nothing, what it named before, something of that format, or something broken."},
		{"blobs", shape{"a map from contents to a state", states("intact", "present", "absent")}, "Whether blobs are intact, present or absent."},
		{"uploads", rangeShape(plain), "How many upload sessions are open."},
		{"schema1", blockShape("a map", "schema1"), "The signed manifest that the tag names."},
		{"referrers", rangeShape(plain), "How many manifests refer to the image's subject."},
		{"v1", shape{"a map from layers, or image, to a state", states("complete", "incomplete", "absent")}, "Whether V1 images are complete, incomplete or absent."},
	}
}
