//! Rules altered on purpose.

macro_rules! bends {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A rule altered on purpose: each one must be found and shrunk, or the comparison proves nothing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Bend { $($(#[$doc])* $name,)* }

        impl Bend {
            /// Every alteration.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

bends! {
    /// N11: the theft by a recovery key set after the offer, which survives the sale.
    SetKeysKeepsOffer,
    /// N12: the theft by a seller whose recovery key stays.
    TransferKeepsRecovery,
    /// N12e: the theft of the recovery key's say.
    TransferWithoutRecovery,
    /// N13e.
    OfferWithoutRecovery,
    /// N14.
    BuyKeepsManager,
    /// N14g.
    BuyByAnybody,
    /// N10.
    RenewInGraceKeepsOffer,
    /// N10: equal is effective.
    RenewStopsShort,
    /// N10c.
    RenewOfZeroYears,
    /// N5.
    PremiumRoundsDown,
    /// N4.
    LevelRoundsUp,
    /// N7a.
    CommitMaxAndOne,
    /// N7: the older height stays.
    NoopCommitIsNewer,
    /// N8d.
    ClaimABlockEarly,
    /// N8: without what the Commit burned.
    ClaimBurnsFullPrice,
    /// N8: the records of a released name.
    ClaimKeepsRecords,
    /// N9b.
    UpdateOfReleased,
    /// N9: by the owner, or by the manager.
    ManagerLocksOutOwner,
    /// N9.
    Update513BytesFree,
    /// N15.
    RecoverClearsRecovery,
    /// N15.
    RecoverKeepsOffer,
    /// S3: also to the same key.
    TransferToSelfKeepsSince,
    /// S10.
    RewardMaturesLate,
    /// S11.
    CommitmentLivesLonger,
    /// S12, N3.
    NameFreeABlockLate,
    /// T7c.
    ExpiryIsExclusive,
    /// T9.
    RefusedPaysFee,
    /// T12.
    CreationIsFree,
    /// B19.
    FeesAreLost,
    /// B19.
    HalvingABlockLate,
    /// S13: what a disconnected block did to the level.
    ReorgKeepsLevel,
}
