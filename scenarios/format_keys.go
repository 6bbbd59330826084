package scenarios

import "github.com/pushcheck/pushcheck/fakeregistry"

// formatBlocks say what the keys of the format mean, in the order of the page.
func formatBlocks() []formatBlock {
	return []formatBlock{
		{"scenario", "a file", scenarioKeys()},
		{"registry", "registry", registryKeys()},
		{"image", "image", imageKeys()},
		{"client", "client", clientKeys()},
		{"step", "steps[…]", stepKeys()},
		{"delete", "steps[…].delete", []formatKey{
			{"blob", textShape(), "The blob that goes: a content name or a digest."},
			{"tag", textShape(), "The tag that goes, in place of a blob."},
			{"from", textShape(), "The repository from which it goes."},
		}},
		{"fault", "faults[…], beside the fault's own", triggerDocs()},
		{"where a fault strikes", "faults[…].NAME", whereKeys()},
		{"expect", "expect", expectKeys()},
		{"event", "expect.wire[…].OPERATION", eventKeys()},
		{"each", "expect.wire[…]", []formatKey{
			{"each", oneOfShape("layers"), "The events of wire are seen once for each layer, in any order of layers."},
			{"wire", blocksShape("a list of events", "event"), "What is seen for each of them, in this order."},
		}},
		{"any-order", "expect.wire[…]", []formatKey{
			{"any-order", blocksShape("a list of events", "event"), "All of these are seen, in any order."},
		}},
		{"expect.registry", "expect.registry", stateKeys()},
		{"schema1", "expect.registry.schema1", []formatKey{
			{"signature", oneOfShape("valid", "invalid"), "Whether the signature of the manifest that the tag names holds."},
			{"layers", rangeShape(plain), "How many layers it names."},
			{"empty-layers", rangeShape(plain), "How many of them are docker's empty layer."},
		}},
		{"probe", "probe[…]", []formatKey{
			{"before", opShape(), "It asks before the first request of this operation is sent."},
			{"after", opShape(), "It asks after the first such exchange has ended."},
			{"ask", shape{"one operation and its content, such as {blob.head: layer1}", map[string]any{
				"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": ref("text"),
				"propertyNames": map[string]any{"enum": probeOps},
			}}, "What the bench asks: blob.head, blob.get, manifest.head or manifest.get, and of what."},
			{"expect", shape{"a status, or a map", either(wholeShape(100, 599).schema, ref("expect of a probe"))}, "What it must be answered."},
		}},
		{"expect of a probe", "probe[…].expect", []formatKey{
			{"status", wholeShape(100, 599), "The status of the answer."},
			{"body", textShape(), "The content whose bytes must come back."},
		}},
		{"known", "known.CLIENT", []formatKey{
			{"fails", textsShape(), "Which parts of expect, and which invariants, fail: each of them does, and any other failure still counts; but where it names result, the rest of expect spoke of another push."},
			{"because", textShape(), "Why, in a sentence."},
			{"see", textsShape(), "Where there is more about it."},
		}},
	}
}

func scenarioKeys() []formatKey {
	return []formatKey{
		{"scenario", textShape(), "The sentence that is true when the scenario passes; it must be there."},
		{"registry", shape{"a kind, a map, or a list of them", either(ref("registry"), listOf(ref("registry")), ref("variable"))}, "The registry that is pushed to; of several hosts the first."},
		{"image", blockShape("a map, or the path of an archive or layout", "image"), "What there is to push: two layers of 64 KiB and 1 KiB unless it says more."},
		{"client", shape{"a name, a map, or a list of them", either(ref("client"), listOf(ref("client")), ref("variable"))}, "Who pushes; each of a list runs the scenario for itself."},
		{"push", textShape(), "The reference that is pushed; without a tag every tag is."},
		{"steps", blocksShape("a list of steps", "step"), "What happens, one after the other, in place of push."},
		{"faults", blocksShape("a list of faults", "fault"), "What goes wrong, from the first step on."},
		{"expect", blockShape("a map", "expect"), "What must be seen of the last push; that it succeeds, unless it says otherwise."},
		{"probe", blocksShape("a list of probes", "probe"), "Requests that the bench itself makes while the client pushes."},
		{"cases", shape{"a map from names to keys of a file", map[string]any{"type": "object", "additionalProperties": ref("case")}}, "Variations: a case's keys replace the file's, but for expect, which is merged key by key."},
		{"matrix", shape{"a map from axes to lists of values", map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "array", "minItems": 1}}}, "Values that are put in where ${{ axis }} stands; every combination is a scenario."},
		{"runs", wholeShape(1, 0), "With how many seeds it runs, one after the other, up to the first that fails."},
		{"seed", wholeShape(0, 0), "The first of them; 1 unless given."},
		{"tests", oneOfShape("client", "registry"), "Who is to blame when it fails; the client unless given."},
		{"level", oneOfShape("must", "should", "may"), "How hard the demand is; must unless given."},
		{"spec", textShape(), "The clause of a specification that it tests."},
		{"known", shape{"a map from clients to what fails", map[string]any{"type": "object", "additionalProperties": ref("known")}}, "Accepted failures with their reasons; one that passes again is a failure."},
		{"see", textsShape(), "Links: where the real failure is told."},
		{"labels", textsShape(), "Words by which --label chooses scenarios."},
		{"needs", textsShape(), "Abilities without which it is skipped."},
		{"timeout", timeShape(), "How much of its own time it may take; an hour unless given."},
		{"cleanup", boolShape(), "Whether what was pushed is deleted in the end."},
		{"format", wholeShape(1, FormatVersion), "The number of the file format; 1 unless given."},
	}
}

func registryKeys() []formatKey {
	return []formatKey{
		{"kind", oneOfShape(KindV2, KindFake, KindV1, KindBoth), "v2 is distribution in process, fake our own V2, v1 our own V1, v1+v2 both on one host."},
		{"auth", oneOfShape("none", "basic", "bearer"), "How it asks who the client is."},
		{"users", textMapShape("a map from names to passwords"), "Who may push; alice with a password made for the run, unless given."},
		{"tls", boolShape(), "Whether it speaks TLS, with a certificate of a CA made for the run."},
		{"accepts", shape{"a list of manifest formats", either(map[string]any{"enum": formats}, listOf(scalar(map[string]any{"enum": formats})))}, "The manifest formats that it takes: schema1, schema2, oci, list, index; all unless given."},
		{"has", shape{"a map from repositories to content names", map[string]any{"type": "object", "additionalProperties": textsShape().schema}}, "What is there before the first step."},
		{"delete", boolShape(), "Whether blobs and manifests may be deleted."},
		{"read-only", boolShape(), "Whether it refuses every write."},
		{"style", oneOfShape("standalone", "index"), "Of V1: index wants users and gives out tokens."},
		{"quirks", shape{"a map of quirks", quirkSchema()}, "Lawful or common deviations of our own V2 from distribution; each is explained by its name."},
		{"ornery", shape{"true, or a list of oddities", scalar(map[string]any{"type": "boolean"}, map[string]any{"enum": fakeregistry.OddityNames()}, listOf(map[string]any{"enum": fakeregistry.OddityNames()}))}, "Makes our own V2 lawful but difficult: all oddities, or those that are named."},
		{"url", textShape(), "The address of a registry of somebody else's, in front of which the faults strike."},
		{"aliases", textsShape(), "Other addresses at which that registry names itself."},
		{"user", textShape(), "Who the client is to that registry."},
		{"password", textShape(), "The password for that; take it from the environment: ${NAME}."},
		{"ca", textShape(), "The file with the CA of that registry."},
		{"insecure", boolShape(), "Whether that registry's certificate is not checked."},
		{"run", textsShape(), "The command that starts a registry."},
	}
}

func quirkSchema() map[string]any {
	properties := map[string]any{}
	for _, q := range quirkList() {
		properties[q.Name] = map[string]any{"description": q.Doc}
	}
	return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
}

func imageKeys() []formatKey {
	return []formatKey{
		{"layers", shape{"a list of sizes", scalar(listOf(sizeShape().schema))}, "The sizes of the layers, the bottom one first; 0B is a layer without changes."},
		{"number", wholeShape(1, maxLayers), "How many layers of one size there are."},
		{"media", oneOfShape("docker", "oci"), "Whose media types the image has."},
		{"identical", shape{"a list of layers, or of such lists", scalar(map[string]any{"type": "array"})}, "Layers that share their content."},
		{"foreign", textsShape(), "Layers that live elsewhere and are not pushed."},
		{"platforms", textsShape(), "Platforms of an index, with an image for each: linux/amd64."},
		{"missing", textsShape(), "Platforms whose images are not there."},
		{"annotations", textMapShape("a map of texts"), "Annotations of the image's manifest."},
		{"subject", textShape(), "The manifest that this one refers to."},
		{"file", textShape(), "An archive of docker save or an OCI layout, in place of layers."},
		{"tags", shape{"a list of tags, or a map from tags to their top layers", either(textsShape().schema, textMapShape("").schema)}, "The local map of tags; what the steps push, unless given."},
	}
}

func clientKeys() []formatKey {
	return []formatKey{
		{"era", oneOfShape(allEras()...), "Which pusher of the bench pushes; docker-1.8 unless given."},
		{"adapter", textsShape(), "A client of somebody else's; each of a list runs the scenario for itself."},
		{"run", textsShape(), "A program that pushes, and its arguments; it needs --allow-exec."},
		{"login", shape{`"user:password"`, ref("text")}, "What the user typed."},
		{"cache", textMapShape("a map from layers to known, absent, wrong, garbage or an entry"), "What the client's digest cache holds before the first step."},
		{"secure", boolShape(), "Whether the registry's address is in no insecure block."},
		{"trust", boolShape(), "Whether the client knows the registry's CA."},
		{"v2-only", boolShape(), "Whether V1 is switched off, as --disable-legacy-registry does."},
		{"meta", textMapShape("a map of headers"), "X-Meta headers of the client's command."},
		{"trust-key", oneOfShape("generated"), "The key that signs schema 1."},
		{"concurrency", wholeShape(1, 0), "How many blobs go up at once; the era's own number unless given."},
		{"platform", textShape(), "For which platform the image is pushed."},
		{"allow-nondistributable-artifacts", boolShape(), "Whether layers that live elsewhere are pushed all the same."},
		{"chunk", sizeShape(), "How much of a blob one request sends at most; the era's own unless given."},
		{"clock", timeShape(), "How far the client's clock is ahead."},
	}
}

func stepKeys() []formatKey {
	return []formatKey{
		{"push", textShape(), "The reference that is pushed."},
		{"delete", blockShape("a map", "delete"), "Takes something out of the registry behind everybody's back."},
		{"restart", shape{"nothing, or a time", either(map[string]any{"type": "null"}, timeShape().schema)}, "Restarts the registry, after so long a time."},
		{"wait", timeShape(), "Lets time pass."},
		{"cancel", textShape(), "Pushes a reference and gives the push up."},
		{"at", opShape(), "Of cancel: once such an exchange has ended."},
		{"after", timeShape(), "Of cancel: after so long a time."},
		{"faults", blocksShape("a list of faults", "fault"), "Faults during this step only, in front of the file's own."},
		{"expect", blockShape("a map", "expect"), "What must be seen of this push."},
	}
}
