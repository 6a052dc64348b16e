package main

func workForTest(baseURL string) error { return nil }
