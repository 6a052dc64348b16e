package clerk_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go"
)

func ExampleInvitationsService_CreateAll() {
	client, fake := exampleClient()
	fake.AddUser("alan@example.com")
	people := `email,name
ada@example.com,Ada
not an address,Nobody
alan@example.com,Alan
ADA@example.com,Ada again
grace@example.com,Grace`

	records := csv.NewReader(strings.NewReader(people))
	if _, err := records.Read(); err != nil { // the header
		log.Fatal(err)
	}
	var failure error
	requests := func(yield func(clerk.CreateInvitationRequest) bool) {
		for {
			record, err := records.Read()
			if err != nil {
				failure = err
				return
			}
			if !yield(clerk.CreateInvitationRequest{EmailAddress: record[0], PublicMetadata: map[string]any{"name": record[1]}}) {
				return
			}
		}
	}
	sourceError := clerk.WithSourceError(func() error {
		if errors.Is(failure, io.EOF) {
			return nil
		}
		return failure
	})

	outcomes := map[string]clerk.Outcome{}
	for result, err := range client.Invitations.CreateAll(context.Background(), requests, sourceError) {
		if err != nil {
			log.Fatal(err) // call CreateAll again with the same requests to resume
		}
		outcomes[result.Request.EmailAddress] = result.Outcome
		if result.Outcome == clerk.OutcomeRejected {
			fmt.Println("record", result.Index, result.Err)
		}
	}
	for _, address := range slices.Sorted(maps.Keys(outcomes)) {
		fmt.Printf("%s: %s\n", address, outcomes[address])
	}
	// Output:
	// record 1 clerk: CreateInvitation: email_address has no @
	// ADA@example.com: repeated
	// ada@example.com: created
	// alan@example.com: user exists
	// grace@example.com: created
	// not an address: rejected
}

// Requests from a channel are sent as they arrive.
func ExampleInvitationsService_CreateAll_channel() {
	client, _ := exampleClient()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signedUp := make(chan string)
	go func() {
		defer close(signedUp)
		signedUp <- "ada@example.com"
		signedUp <- "grace@example.com"
	}()

	requests := func(yield func(clerk.CreateInvitationRequest) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case address, ok := <-signedUp:
				if !ok || !yield(clerk.CreateInvitationRequest{EmailAddress: address}) {
					return
				}
			}
		}
	}
	for result, err := range client.Invitations.CreateAll(ctx, requests) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(result.Request.EmailAddress, result.Outcome)
	}
	// Output:
	// ada@example.com created
	// grace@example.com created
}

// This run leaves half of each limit to others, and shows its progress.
func ExampleWithProgress() {
	client, _ := exampleClient()
	requests := make([]clerk.CreateInvitationRequest, 1000)
	for i := range requests {
		requests[i].EmailAddress = fmt.Sprintf("guest%d@example.com", i)
	}

	progress := clerk.WithProgress(func(p clerk.Progress) {
		switch {
		case !p.WaitUntil.IsZero():
			fmt.Println("waiting for", p.WaitFor)
		case p.Done()%50 == 0:
			left := time.Until(p.EstimateEnd(len(requests))).Round(time.Hour)
			fmt.Printf("%d of %d, done in about %s\n", p.Done(), len(requests), left)
		}
	})
	half := clerk.WithBudget(clerk.Budget{Creates: 50, BulkCreates: 12})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, err := range client.Invitations.CreateAll(ctx, slices.Values(requests), half, progress) {
		if errors.Is(err, context.DeadlineExceeded) {
			fmt.Println("out of time: resume another day")
		}
	}
	// Output:
	// 50 of 1000, done in about 5h0m0s
	// 100 of 1000, done in about 5h0m0s
	// 150 of 1000, done in about 5h0m0s
	// out of time: resume another day
}

// A resumed campaign skips people who were invited since it started. This lets a run with
// IgnoreExisting recognize its own invitations.
func ExampleWithSkipSince() {
	client, _ := exampleClient()
	ctx := context.Background()
	began := time.Now().Add(-time.Second) // recorded when the campaign started
	campaign := []clerk.CreateInvitationRequest{{EmailAddress: "ada@example.com"}, {EmailAddress: "grace@example.com"}}
	for _, people := range [][]clerk.CreateInvitationRequest{campaign[:1], campaign} { // the first run stops early
		for result, err := range client.Invitations.CreateAll(ctx, slices.Values(people), clerk.WithSkipSince(began)) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(result.Request.EmailAddress, result.Outcome)
		}
	}
	// Output:
	// ada@example.com created
	// ada@example.com already invited
	// grace@example.com created
}

func ExampleWithBudget() {
	client, _ := exampleClient()
	people := slices.Values([]clerk.CreateInvitationRequest{{EmailAddress: "ada@example.com"}, {EmailAddress: "grace@example.com"}})
	// Leave 60 creates and 5 bulk creates an hour to others.
	budget := clerk.WithBudget(clerk.Budget{Creates: 40, BulkCreates: 20})
	for result, err := range client.Invitations.CreateAll(context.Background(), people, budget) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(result.Request.EmailAddress, result.Outcome)
	}
	// Output:
	// ada@example.com created
	// grace@example.com created
}

func ExampleWithSkipNone() {
	client, fake := exampleClient()
	people := slices.Values([]clerk.CreateInvitationRequest{{EmailAddress: "ada@example.com"}})
	for _, err := range client.Invitations.CreateAll(context.Background(), people, clerk.WithSkipNone()) {
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(len(fake.Requests()), "request: nothing was listed")
	// Output: 1 request: nothing was listed
}

func ExampleWithSourceError() {
	client, _ := exampleClient()
	// In a service, lines may be a bufio.Scanner, and broken its Err method.
	lines, broken := strings.SplitSeq("ada@example.com\ngrace@example.com", "\n"), errors.New("line 3 is too long")
	requests := func(yield func(clerk.CreateInvitationRequest) bool) {
		for line := range lines {
			if !yield(clerk.CreateInvitationRequest{EmailAddress: line}) {
				return
			}
		}
	}
	readError := clerk.WithSourceError(func() error { return broken })
	for result, err := range client.Invitations.CreateAll(context.Background(), requests, readError) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(result.Index, result.Outcome)
	}
	// Output:
	// 0 created
	// 1 created
	// clerk: reading the requests failed: line 3 is too long
}

func ExampleProgress_EstimateEnd() {
	client, _ := exampleClient()
	const total = 2
	people := slices.Values([]clerk.CreateInvitationRequest{{EmailAddress: "ada@example.com"}, {EmailAddress: "grace@example.com"}})
	progress := clerk.WithProgress(func(p clerk.Progress) {
		fmt.Printf("%d of %d, done in %s\n", p.Done(), total, time.Until(p.EstimateEnd(total)).Round(time.Hour))
	})
	for _, err := range client.Invitations.CreateAll(context.Background(), people, progress, clerk.WithSkipNone()) {
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// 1 of 2, done in 0s
	// 2 of 2, done in 0s
}
