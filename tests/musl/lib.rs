//! Nothing: the tests of this package are those of `nstest-tests`, for other targets.
