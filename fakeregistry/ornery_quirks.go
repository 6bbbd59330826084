package fakeregistry

// orneryQuirks are those that only Ornery was made for: Oddity says where they are
// allowed.
func orneryQuirks() []Quirk {
	return []Quirk{
		flagQuirk("session-elsewhere", "registries that hand uploads to a service of their own",
			"The location of an upload session is not below /v2/.", func(q *Quirks) *bool { return &q.SessionElsewhere }),
		flagQuirk("redirect-blobs", "distribution with a store that redirects, Docker Hub, ECR",
			"GET and HEAD of a blob are 307.", func(q *Quirks) *bool { return &q.RedirectBlobs }),
		flagQuirk("extra-fields", "GitLab, Harbor",
			"Answers in JSON have fields that the specification has not.", func(q *Quirks) *bool { return &q.ExtraFields }),
		flagQuirk("shuffled-errors", "Quay",
			"A refusal has several errors, in any order.", func(q *Quirks) *bool { return &q.ShuffledErrors }),
		textQuirk("header-case", "registries behind HTTP/2 front ends (lower)",
			"Names of headers are in lower or upper case.", func(q *Quirks) *string { return &q.HeaderCase }),
		flagQuirk("no-length", "registries behind front ends that compress or buffer",
			"Answers in JSON come in chunks.", func(q *Quirks) *bool { return &q.NoLength }),
		sizeQuirk("close-every", "front ends that limit the requests of a connection",
			"Each so manyth answer closes the connection.", func(q *Quirks) *int64 { return &q.CloseEvery }),
		sizeQuirk("latency", "all that are far away",
			"So many milliseconds pass before each answer.", func(q *Quirks) *int64 { return &q.Latency }),
		sizeQuirk("throttle", "Docker Hub, GHCR, ECR",
			"Each so manyth request is refused with 429 and Retry-After, in seconds and as a date in turn.", func(q *Quirks) *int64 { return &q.Throttle }),
	}
}
